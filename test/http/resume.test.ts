// Watching a turn from where one has left off: on the replica that produces it and on the other, while it runs and later.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HeldTurns, resume, startTurns, WORDS, watch } from '../support/held-turns.ts';
import { idOf, typeOf } from '../support/raw-events.ts';
import { unreadGet } from '../support/sse.ts';
import { until } from '../support/until.ts';

let turns: HeldTurns;
beforeAll(async () => {
  turns = await startTurns();
});
afterAll(() => turns[Symbol.asyncDispose]());

describe('a turn that is over', () => {
  test('is replayed in the same bytes on every replica, and as its own stream had them', async () => {
    const path = await turns.replicas.here.session();
    const stream = await turns.replicas.here.stream(path, { message: 'hello', turnId: 'it' }).done();
    const [near, far] = await Promise.all(turns.both.map((client) => watch(client, path).done()));
    expect(near?.status).toBe(200);
    expect(near?.ending).toBe('end');
    expect(near?.response?.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    expect(far?.bytes.equals(near?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(near?.ids).toEqual(stream.events.map(({ id }) => id));
    expect(near?.frames.map(typeOf)).toEqual(stream.types);
    expect(stream.answer()).toBe(WORDS.join(''));
  });

  test('goes on after every event, by header and by query, on every replica', async () => {
    const { path, frames } = await turns.finished();
    for (const client of turns.both) {
      for (const [index, frame] of frames.slice(0, -1).entries()) {
        const id = idOf(frame);
        const rests = await Promise.all([resume(client, path, id).done(), watch(client, path, { after: id }).done()]);
        for (const rest of rests) expect(rest.frames).toEqual(frames.slice(index + 1));
      }
    }
  });

  test('is a 204 after its last event, so that an EventSource stays away', async () => {
    const { path, ids } = await turns.finished();
    for (const client of turns.both) {
      const { status, bytes } = await resume(client, path, ids.at(-1) ?? '').done();
      expect([status, bytes.length]).toEqual([204, 0]);
      expect((await watch(client, path, { after: ids.at(-1) ?? '' }).done()).status).toBe(204);
    }
  });

  test('that was answered at once can be read as events, too', async () => {
    const path = await turns.replicas.here.session();
    await turns.replicas.here.post(`${path}/messages`, { message: 'hello', turnId: 'it' });
    expect((await watch(turns.replicas.there, path).done()).frames.map(typeOf)).toEqual([
      'turn.started',
      'candidate.delta',
      'candidate.finished',
      'turn.committed',
    ]);
  });

  test('is a 410 once its log is gone, and can still be read', async () => {
    const { path, ids } = await turns.finished();
    await turns.replicas.there.post(`${path}/messages`, { message: 'second' });
    expect((await watch(turns.replicas.there, path).done()).status).toBe(200);
    await turns.replicas.there.post(`${path}/messages`, { message: 'third' });
    for (const client of turns.both) {
      for (const watching of [watch(client, path), resume(client, path, ids[1] ?? '')]) {
        const { status, text } = await watching.done();
        expect([status, JSON.parse(text).code]).toEqual([410, 'log_expired']);
      }
      expect((await client.get(`${path}/turns/it`)).json.state).toBe('COMMITTED');
    }
  });
});

describe('a turn that runs', () => {
  test('is seen on another replica while it comes, not only at its end', async () => {
    const { path, release } = await turns.held('seen');
    const far = watch(turns.replicas.there, path);
    await far.until('the first word is there', ({ text }) => text.includes(WORDS[0] ?? ''));
    expect(far.ending).toBeUndefined();
    release();
    await far.done();
    expect(far.frames.map(typeOf).at(-1)).toBe('turn.committed');
  });

  test('goes on after every event, on both replicas, with the same bytes for all', async () => {
    const { path, stream, release } = await turns.held('suffixes');
    const ids = stream.events.map(({ id }) => id);
    const watching = turns.both.flatMap((client) => [
      watch(client, path),
      ...ids.map((id) => resume(client, path, id)),
    ]);
    await Promise.all(watching.map((events) => events.until('it is open', ({ status }) => status === 200)));
    release();
    await Promise.all(watching.map((events) => events.done()));
    const whole = (await watch(turns.replicas.here, path).done()).frames;
    for (const [index, { frames }] of watching.entries()) {
      expect(frames).toEqual(whole.slice(index % (ids.length + 1)));
    }
  });

  test('can be watched before its first byte, with an id of its own, and heartbeats fill the silence', async () => {
    const path = await turns.replicas.here.session();
    const stream = turns.replicas.here.stream(path, { message: '[silent]', turnId: 'it' });
    const calls = turns.replicas.upstream.calls.length;
    await until('the turn runs', async () => (await turns.replicas.there.get(`${path}/turns/it`)).status === 200);
    const watching = turns.both.map((client) => watch(client, path));
    for (const events of watching) {
      await events.until('comments come', ({ comments }) => comments >= 3);
      expect(events.text.startsWith(': open\n\n')).toBe(true);
      await events.until('it has started', ({ frames }) => frames.length === 1);
    }
    await turns.replicas.there.post(`${path}/turns/it/cancel`);
    for (const events of watching) expect((await events.done()).frames.map(typeOf).at(-1)).toBe('turn.cancelled');
    await stream.done();
    expect(turns.replicas.upstream.calls.length).toBeLessThanOrEqual(calls + 1);
  });

  test('ends for viewers on both replicas with turn.cancelled when its session is deleted', async () => {
    const { path } = await turns.held('deleted');
    const watching = turns.both.map((client) => watch(client, path));
    await Promise.all(watching.map((events) => events.until('it is open', ({ frames }) => frames.length >= 2)));
    const deletedAt = performance.now();
    expect((await turns.replicas.there.delete(path)).status).toBe(204);
    for (const events of watching) expect(typeOf((await events.done()).frames.at(-1) ?? '')).toBe('turn.cancelled');
    // Not only with the next renewal of the lease, after 5 s.
    expect(performance.now() - deletedAt).toBeLessThan(2000);
    expect((await watch(turns.replicas.there, path).done()).status).toBe(404);
  });

  test('is not held up, here or there, by a viewer that does not read, who is cut and can come back', async () => {
    const path = await turns.replicas.here.session();
    await turns.replicas.here.stream(path, { message: '[big]', turnId: 'it' }).done();
    const stuck = turns.both.map((client) => unreadGet(client.url, `${path}/turns/it/events`));
    const whole = await watch(turns.replicas.there, path).done(20_000);
    expect(whole.bytes.length).toBeGreaterThan(12_000_000);
    for (const service of turns.replicas.services) {
      await until('the stuck connection is gone', () => {
        return new Promise<boolean>((resolve) => service.app.server.getConnections((_, count) => resolve(count === 0)));
      });
    }
    for (const connection of stuck) connection.hangUp();
    const [first] = whole.ids;
    expect((await resume(turns.replicas.there, path, first ?? '').done()).frames).toEqual(whole.frames.slice(1));
  });
});
