// GET /v1/sessions/{sessionId}/events: all turns of a session, for second tabs.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { asStream, event, type Script, said } from '../support/upstream.ts';

let replicas: Replicas;
let a: Client;
let b: Client;
let path: string;
let gate: PromiseWithResolvers<void>;

beforeEach(async () => {
  gate = Promise.withResolvers();
  const script: Script = async (response, call) => {
    asStream(response).write(event(said('first ')));
    if (call.body.includes('long')) await gate.promise;
    response.end(event(said('last', 'STOP')));
  };
  replicas = await startReplicas(script, { env: { HEARTBEAT_MS: '100' } });
  ({ here: a, there: b } = replicas);
  path = await a.session({ model: 'm' });
});

afterEach(async () => {
  gate.resolve();
  await replicas[Symbol.asyncDispose]();
});

describe('a follower', () => {
  it('is told every event of every turn, whoever sends it, in order, and hears a heartbeat between', async () => {
    const before = await a.stream(path, { message: 'before' }).done();
    const follower = b.events(`${path}/events`);
    await follower.until('it is idle', ({ comments }) => comments.length >= 3);
    expect(follower.events).toEqual([]);
    const turns = [];
    for (const client of [a, b, a]) turns.push(await client.stream(path, { message: 'x' }).done());
    const all = turns.flatMap(({ events }) => events);
    await follower.until('it has all', ({ events }) => events.length >= all.length);
    expect(follower.events).toEqual(all);
    expect(follower.ending).toBeUndefined();
    const again = a.events(`${path}/events?after=${turns[1]?.events.at(-1)?.id}`);
    await again.until('the last turn', ({ events }) => events.length >= 5);
    expect(again.events).toEqual(turns[2]?.events);
    expect(before.terminal?.event).toBe('turn.committed');
    follower.hangUp();
    again.hangUp();
  });

  it('is told a turn that runs already from its beginning', async () => {
    const stream = a.stream(path, { message: 'long' });
    await stream.until('it runs', ({ events }) => events.length >= 2);
    const follower = b.events(`${path}/events`);
    await follower.until('the same', ({ events }) => events.length >= 2);
    gate.resolve();
    await stream.done();
    await follower.until('the end', ({ events }) => events.length >= stream.events.length);
    expect(follower.events).toEqual(stream.events);
    follower.hangUp();
  });

  it('ends when the session is deleted, and when its replica has to go', async () => {
    const [one, two] = [a.events(`${path}/events`), b.events(`${path}/events`)];
    for (const follower of [one, two]) await follower.until('it is open', ({ comments }) => comments.length >= 1);
    await replicas.services[1].close();
    expect((await two.done()).ending).toBe('end');
    await a.delete(path);
    expect((await one.done()).ending).toBe('end');
  });

  it('is told at once when its session is deleted under a turn', async () => {
    const stream = a.stream(path, { message: 'long' });
    await stream.until('it runs', ({ events }) => events.length >= 2);
    const followers = [a.events(`${path}/events`), b.events(`${path}/events`)];
    for (const follower of followers) await follower.until('the same', ({ events }) => events.length >= 2);
    await b.delete(path);
    for (const follower of followers) {
      const { events, ending } = await follower.done();
      expect(events.map(({ event }) => event)).toEqual(['turn.started', 'candidate.delta', 'turn.cancelled']);
      expect(ending).toBe('end');
    }
  });

  it('is refused without a session, with a cursor that is none, and for JSON', async () => {
    expect(await a.events('/v1/sessions/nobody/events').done()).toMatchObject({ status: 404 });
    expect(await a.events(`${path}/events?after=x`).done()).toMatchObject({ status: 400 });
    expect(await a.get(`${path}/events`, { accept: 'application/json' })).toMatchObject({ status: 406 });
  });

  it('is refused with the cursor of a turn that has not begun, which would never tell anything', async () => {
    const { events } = await a.stream(path, { message: 'x' }).done();
    const [epoch = ''] = String(events.at(-1)?.id).split('-');
    for (const client of [a, b]) {
      for (const id of ['9007199254740991-1', `${Number(epoch) + 1}-0`]) {
        const { status, json } = await client.events(`${path}/events`, { 'last-event-id': id }).done();
        expect([id, status, json?.code]).toEqual([id, 400, 'invalid_argument']);
      }
    }
  });

  it('goes on from an event of the running turn that is not in the store yet', async () => {
    const stream = a.stream(path, { message: 'long' });
    await stream.until('it runs', ({ events }) => events.length >= 2);
    const [epoch, seq] = String(stream.events.at(-1)?.id).split('-');
    const follower = b.events(`${path}/events`, { 'last-event-id': `${epoch}-${Number(seq) + 1}` });
    await follower.until('it is open', ({ comments }) => comments.length >= 1);
    gate.resolve();
    await stream.done();
    await follower.until('the end', ({ terminal }) => terminal !== undefined);
    expect(follower.events).toEqual(stream.events.slice(3));
    follower.hangUp();
  });

  it('is told what is kept when the events after its cursor are not', async () => {
    const turns = [];
    for (const message of ['1', '2', '3', '4']) turns.push(await a.stream(path, { message }).done());
    const kept = turns.slice(2).flatMap(({ events }) => events);
    const follower = b.events(`${path}/events`, { 'last-event-id': String(turns[0]?.events[1]?.id) });
    await follower.until('all that is kept', ({ events }) => events.length >= kept.length);
    expect(follower.events).toEqual(kept);
    follower.hangUp();
  });
});
