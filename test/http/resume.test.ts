// Watching a turn from where one has left off: on the replica that produces it and on the other, while it runs and later.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, send } from '../support/client.ts';
import { idOf, RawEvents, typeOf } from '../support/raw-events.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { unreadGet } from '../support/sse.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said, type UpstreamCall } from '../support/upstream.ts';

const WORDS = ['Wörter ', 'mit ', '😀 ', 'und\n', '\u2028', ' Ende'];

/** What holds back the last words of the questions that say so. */
const gates = new Map<string, PromiseWithResolvers<void>>();

function gateOf(name: string): PromiseWithResolvers<void> {
  const gate = gates.get(name) ?? Promise.withResolvers<void>();
  gates.set(name, gate);
  return gate;
}

function heldBy({ body }: UpstreamCall): string | undefined {
  return /\[held:(\w+)\](?![\s\S]*\[held:)/.exec(body)?.[1];
}

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas(
    async (response, call) => {
      if (call.body.includes('[silent]')) return;
      if (!call.isStream) return answer(response, call, 'at once');
      if (call.body.includes('[big]')) return void asStream(response).end(event(said('x'.repeat(12_000_000), 'STOP')));
      asStream(response).write(event(said(WORDS[0] ?? '')));
      const held = heldBy(call);
      if (held) await gateOf(held).promise;
      response.write(
        WORDS.slice(1)
          .map((word) => event(said(word)))
          .join(''),
      );
      response.end(event(said('', 'STOP')));
    },
    {
      env: { LOG_TTL_MS: '60000', CLIENT_STALL_TIMEOUT_MS: '500', HEARTBEAT_MS: '300', STREAM_HEADERS_DELAY_MS: '50' },
    },
  );
});
afterAll(() => replicas[Symbol.asyncDispose]());

const both = () => [replicas.here, replicas.there] as const;

function watch(client: Client, path: string, options: ConstructorParameters<typeof RawEvents>[1] = {}): RawEvents {
  return new RawEvents(`${client.url}${path}/turns/it/events`, options);
}

function resume(client: Client, path: string, id: string): RawEvents {
  return watch(client, path, { headers: { 'last-event-id': id } });
}

/** A session whose turn `it` has run; with all its frames. */
async function finished() {
  const path = await replicas.here.session();
  await replicas.here.stream(path, { message: 'hello', turnId: 'it' }).done();
  const whole = await watch(replicas.here, path).done();
  return { path, whole, frames: whole.frames, ids: whole.ids };
}

/** A session whose turn `it` has said its first word, and says the others when it may. */
async function held(name: string) {
  const path = await replicas.here.session();
  const stream = replicas.here.stream(path, { message: `[held:${name}]`, turnId: 'it' });
  await stream.until('the first word', () => stream.answer() !== '');
  return { path, stream, release: () => gateOf(name).resolve() };
}

describe('a turn that is over', () => {
  test('is replayed in the same bytes on every replica, and as its own stream had them', async () => {
    const path = await replicas.here.session();
    const stream = await replicas.here.stream(path, { message: 'hello', turnId: 'it' }).done();
    const [near, far] = await Promise.all(both().map((client) => watch(client, path).done()));
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
    const { path, frames } = await finished();
    for (const client of both()) {
      for (const [index, frame] of frames.slice(0, -1).entries()) {
        const id = idOf(frame);
        const rests = await Promise.all([resume(client, path, id).done(), watch(client, path, { after: id }).done()]);
        for (const rest of rests) expect(rest.frames).toEqual(frames.slice(index + 1));
      }
    }
  });

  test('is a 204 after its last event, so that an EventSource stays away', async () => {
    const { path, ids } = await finished();
    for (const client of both()) {
      const { status, bytes } = await resume(client, path, ids.at(-1) ?? '').done();
      expect([status, bytes.length]).toEqual([204, 0]);
      expect((await watch(client, path, { after: ids.at(-1) ?? '' }).done()).status).toBe(204);
    }
  });

  test('that was answered at once can be read as events, too', async () => {
    const path = await replicas.here.session();
    await replicas.here.post(`${path}/messages`, { message: 'hello', turnId: 'it' });
    expect((await watch(replicas.there, path).done()).frames.map(typeOf)).toEqual([
      'turn.started',
      'candidate.delta',
      'candidate.finished',
      'turn.committed',
    ]);
  });

  test('is a 410 once its log is gone, and can still be read', async () => {
    const { path, ids } = await finished();
    await replicas.there.post(`${path}/messages`, { message: 'second' });
    expect((await watch(replicas.there, path).done()).status).toBe(200);
    await replicas.there.post(`${path}/messages`, { message: 'third' });
    for (const client of both()) {
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
    const { path, release } = await held('seen');
    const far = watch(replicas.there, path);
    await far.until('the first word is there', ({ text }) => text.includes(WORDS[0] ?? ''));
    expect(far.ending).toBeUndefined();
    release();
    await far.done();
    expect(far.frames.map(typeOf).at(-1)).toBe('turn.committed');
  });

  test('goes on after every event, on both replicas, with the same bytes for all', async () => {
    const { path, stream, release } = await held('suffixes');
    const ids = stream.events.map(({ id }) => id);
    const watching = both().flatMap((client) => [watch(client, path), ...ids.map((id) => resume(client, path, id))]);
    await Promise.all(watching.map((events) => events.until('it is open', ({ status }) => status === 200)));
    release();
    await Promise.all(watching.map((events) => events.done()));
    const whole = (await watch(replicas.here, path).done()).frames;
    for (const [index, { frames }] of watching.entries()) {
      expect(frames).toEqual(whole.slice(index % (ids.length + 1)));
    }
  });

  test('can be watched before its first byte, with an id of its own, and heartbeats fill the silence', async () => {
    const path = await replicas.here.session();
    const stream = replicas.here.stream(path, { message: '[silent]', turnId: 'it' });
    const calls = replicas.upstream.calls.length;
    await until('the turn runs', async () => (await replicas.there.get(`${path}/turns/it`)).status === 200);
    const watching = both().map((client) => watch(client, path));
    for (const events of watching) {
      await events.until('comments come', ({ comments }) => comments >= 3);
      expect(events.text.startsWith(': open\n\n')).toBe(true);
      await events.until('it has started', ({ frames }) => frames.length === 1);
    }
    await replicas.there.post(`${path}/turns/it/cancel`);
    for (const events of watching) expect((await events.done()).frames.map(typeOf).at(-1)).toBe('turn.cancelled');
    await stream.done();
    expect(replicas.upstream.calls.length).toBeLessThanOrEqual(calls + 1);
  });

  test('ends for viewers on both replicas with turn.cancelled when its session is deleted', async () => {
    const { path } = await held('deleted');
    const watching = both().map((client) => watch(client, path));
    await Promise.all(watching.map((events) => events.until('it is open', ({ frames }) => frames.length >= 2)));
    const deletedAt = performance.now();
    expect((await replicas.there.delete(path)).status).toBe(204);
    for (const events of watching) expect(typeOf((await events.done()).frames.at(-1) ?? '')).toBe('turn.cancelled');
    // Not only with the next renewal of the lease, after 5 s.
    expect(performance.now() - deletedAt).toBeLessThan(2000);
    expect((await watch(replicas.there, path).done()).status).toBe(404);
  });

  test('is not held up, here or there, by a viewer that does not read, who is cut and can come back', async () => {
    const path = await replicas.here.session();
    await replicas.here.stream(path, { message: '[big]', turnId: 'it' }).done();
    const stuck = both().map((client) => unreadGet(client.url, `${path}/turns/it/events`));
    const whole = await watch(replicas.there, path).done(20_000);
    expect(whole.bytes.length).toBeGreaterThan(12_000_000);
    for (const service of replicas.services) {
      await until('the stuck connection is gone', () => {
        return new Promise<boolean>((resolve) => service.app.server.getConnections((_, count) => resolve(count === 0)));
      });
    }
    for (const connection of stuck) connection.hangUp();
    const [first] = whole.ids;
    expect((await resume(replicas.there, path, first ?? '').done()).frames).toEqual(whole.frames.slice(1));
  });
});

describe('a cursor', () => {
  test('in the header wins over the one in the address', async () => {
    const { path, frames, ids } = await finished();
    const [first = '', second = ''] = ids;
    const events = await watch(replicas.there, path, { after: first, headers: { 'last-event-id': second } }).done();
    expect(events.frames).toEqual(frames.slice(2));
    const refused = await watch(replicas.there, path, { after: first, headers: { 'last-event-id': 'x' } }).done();
    expect(refused.status).toBe(400);
  });

  test.each([
    ['a word', 'latest'],
    ['a number', '17'],
    ['a negative number', '1--1'],
    ['a number that is none', '1-0x1'],
    ['a fraction', '1-1.5'],
    ['a list', '1-1, 1-2'],
    ['a number beyond any', '1-4294967296'],
    ['an epoch beyond any', '9999999999999999-1'],
    ['a very long number', `1-${'1'.repeat(50)}`],
    ['something very long', 'x'.repeat(5000)],
  ])('that is %s is a 400, running or over, in either place', async (_what, id) => {
    const { path, release } = await held(`bad${_what.replaceAll(' ', '')}`);
    for (const client of both()) {
      expect((await resume(client, path, id).done()).status).toBe(400);
      expect((await watch(client, path, { after: id }).done()).status).toBe(400);
    }
    release();
    await replicas.here.post(`${path}/turns/it/cancel`);
    const { status, text } = await resume(replicas.there, path, id).done();
    expect([status, JSON.parse(text).code]).toEqual([400, 'invalid_argument']);
  });

  test('of another turn is a 400, whatever becomes of the log', async () => {
    const { path, ids } = await finished();
    const other = await finished();
    for (const client of both()) expect((await resume(client, path, other.ids[0] ?? '').done()).status).toBe(400);
    await replicas.here.post(`${path}/messages`, { message: 'second', turnId: 'second' });
    const url = `${replicas.there.url}${path}/turns/second/events`;
    expect((await new RawEvents(url, { after: ids[0] ?? '' }).done()).status).toBe(400);
  });

  test('before the first event is the beginning; one beyond the last is the end', async () => {
    const { path, frames, ids } = await finished();
    const [epoch] = (ids[0] ?? '').split('-');
    for (const client of both()) {
      expect((await resume(client, path, `${epoch}-0`).done()).frames).toEqual(frames);
      expect((await resume(client, path, `${epoch}-4294967295`).done()).status).toBe(204);
    }
  });
});

describe('the address of the events', () => {
  test('is a 404 for what does not exist', async () => {
    const { path } = await finished();
    for (const [address, code] of [
      [`${path}/turns/nobody/events`, 'turn_not_found'],
      ['/v1/sessions/nobody/turns/it/events', 'session_not_found'],
    ] as const) {
      for (const client of both()) {
        const { status, text } = await new RawEvents(`${client.url}${address}`).done();
        expect([status, JSON.parse(text).code]).toEqual([404, code]);
      }
    }
  });

  test('is a 406 for who reads JSON alone, a 405 for HEAD and POST, a 400 for another query', async () => {
    const { path } = await finished();
    const url = `${replicas.there.url}${path}/turns/it/events`;
    expect((await send(url, 'GET', { headers: { accept: 'application/json' } })).json).toMatchObject({
      status: 406,
      code: 'not_acceptable',
    });
    expect((await send(url, 'GET', { headers: { accept: '*/*' } })).status).toBe(200);
    expect((await send(url, 'HEAD')).status).toBe(405);
    expect((await send(url, 'POST')).status).toBe(405);
    expect((await send(`${url}?afterwards=1`, 'GET')).status).toBe(400);
  });
});
