// A producer that is killed or frozen, as those see it who watch its turn on another replica, or want to cancel it.

import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { Client, EventStream } from '../support/client.ts';
import { watch } from '../support/held-turns.ts';
import { typeOf } from '../support/raw-events.ts';
import { ReconnectingClient } from '../support/reconnecting-client.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { type SpawnedService, spawnService, withClock } from '../support/spawned-service.ts';
import { until } from '../support/until.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

interface Scene extends AsyncDisposable {
  readonly producer: SpawnedService;
  readonly here: Client;
  readonly there: Client;
  readonly path: string;
  readonly stream: ReturnType<Client['stream']>;
}

/** The turn `it` has said something on a replica of its own, and goes on saying nothing. The other has this clock. */
async function startScene(leaseMs: number, clock: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const variables = {
    REDIS_URL: inject('redisUrl'),
    REDIS_KEY_PREFIX: uniquePrefix(),
    VERTEX_AI_EMULATOR_HOST: emulator.address,
    DEFAULT_MODEL: 'emulator',
    LEASE_MS: String(leaseMs),
  };
  const [producer, other] = await Promise.all([spawnService(variables), spawnService({ ...variables, ...clock })]);
  const [here, there] = [new Client(producer.url), new Client(other.url)];
  const path = await here.session({});
  const stream = here.stream(path, { message: '[[stall]]', turnId: 'it' });
  await stream.until('the first delta', () => stream.answer() !== '');
  return {
    producer,
    here,
    there,
    path,
    stream,
    async [Symbol.asyncDispose]() {
      await Promise.all([producer[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    },
  };
}

test('a viewer elsewhere is told of the end of a producer that was killed, soon after its lease', async () => {
  await using scene = await startScene(2000);
  const { there, path, producer } = scene;
  const far = watch(there, path);
  await far.until('the first words', ({ frames }) => frames.length >= 2);
  const killedAt = performance.now();
  producer.process.signal('SIGKILL');
  await far.done();
  expect(performance.now() - killedAt).toBeLessThan(6000);
  expect(typeOf(far.frames.at(-1) ?? '')).toBe('turn.failed');
  expect(far.frames.at(-1)).toContain('"code":"producer_lost"');
  expect((await there.post(`${path}/messages`, { message: 'again' })).json.state).toBe('COMMITTED');
});

test.each([
  ['ahead', 3_600_000],
  ['behind', -3_600_000],
])('a replica whose clock is an hour %s tells a producer that is alive from one that is dead', async (_, wrongMs) => {
  await using scene = await startScene(2000, withClock(wrongMs));
  const { there, path, producer } = scene;
  expect((await there.get(path)).json.activeTurn?.turnId).toBe('it');
  const far = watch(there, path);
  await far.until('the first words', ({ frames }) => frames.length >= 2);
  producer.process.signal('SIGKILL');
  await far.done();
  expect(far.frames.at(-1)).toContain('"code":"producer_lost"');
  expect((await there.get(`${path}/turns/it`)).json.state).toBe('FAILED');
});

test('an EventSource of the killed replica goes on elsewhere, from the last event that it has seen', async () => {
  await using scene = await startScene(2000);
  const { here, there, path, producer, stream } = scene;
  const address = `${path}/turns/it/events`;
  const urlOf = (connection: number) => (connection === 0 ? here.url : there.url) + address;
  const client = new ReconnectingClient({ urlOf, retryMs: 50 });
  await until('it has seen the first words', () => client.text !== '');
  producer.process.signal('SIGKILL');
  await client.done();
  const types = client.events.map(({ type }) => type);
  expect(types[0]).toBe('turn.started');
  expect(types.filter((type) => !type.startsWith('candidate.'))).toEqual(['turn.started', 'turn.failed']);
  expect(types.at(-1)).toBe('turn.failed');
  expect(new Set(client.events.map(({ id }) => id)).size).toBe(types.length);
  expect(stream.answer().startsWith(client.text)).toBe(true);
  expect(client.ending).toBe(204);
});

test('the cancel of a frozen producer is settled by reaping it, and the zombie changes nothing', async () => {
  await using scene = await startScene(2000);
  const { there, path, producer, stream } = scene;
  producer.process.signal('SIGSTOP');
  const { status, json } = await there.post(`${path}/turns/it/cancel`, { keep: 'partial' });
  expect(status).toBe(200);
  expect(json).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost' } });
  expect(json).not.toHaveProperty('messages');
  producer.process.signal('SIGCONT');
  await stream.done();
  expect(stream.terminal).toMatchObject({ event: 'turn.failed', data: { problem: { code: 'producer_lost' } } });
  expect((await there.get(`${path}/turns/it`)).json).toEqual(json);
  expect(await there.history(path)).toEqual([]);
});

test('the cancel of a producer that is frozen within its lease is a 202 after 20 s, and holds when it wakes', {
  timeout: 60_000,
}, async () => {
  await using scene = await startScene(120_000);
  const { there, path, producer, stream } = scene;
  producer.process.signal('SIGSTOP');
  const askedAt = performance.now();
  const { status, json } = await there.post(`${path}/turns/it/cancel`, { keep: 'partial' });
  expect(performance.now() - askedAt).toBeGreaterThan(19_000);
  expect([status, json.state]).toEqual([202, 'RUNNING']);
  producer.process.signal('SIGCONT');
  await stream.done();
  expect(stream.terminal?.event).toBe('turn.cancelled');
  expect((await there.history(path)).at(-1)).toEqual(['bot', stream.answer()]);
});

test('a stream that interrupts a producer that is frozen has its headers in time, and runs when that is over', {
  timeout: 30_000,
}, async () => {
  await using scene = await startScene(60_000, { STREAM_HEADERS_DELAY_MS: '300' });
  const { producer, there, path } = scene;
  producer.process.signal('SIGSTOP');
  const stream = there.stream(path, { message: 'newer', onBusy: 'interrupt' });
  await stream.until('headers', ({ status }) => status === 200);
  expect(stream.events).toEqual([]);
  producer.process.signal('SIGCONT');
  expect((await stream.done()).types.at(0)).toBe('turn.started');
  expect(stream.terminal?.event).toBe('turn.committed');
  expect(await there.history(path)).toHaveLength(2);
});

test('an answer stands that was being regenerated by a producer that was killed, and can be regenerated elsewhere', async () => {
  await using scene = await startScene(2000);
  const { producer, here, there, path, stream } = scene;
  await there.post(`${path}/turns/it/cancel`);
  await stream.done();
  const old = (await there.post(`${path}/messages`, { message: 'Why?', candidateCount: 2 })).json;
  const seen = async () => [
    (await there.get(`${path}/messages`)).text,
    (await there.get(`${path}/turns/${old.turnId}`)).text,
    (await there.get(path)).json.version,
  ];
  const before = await seen();
  await here.patch(path, { model: 'fault-stall' });
  const again = new EventStream(`${here.url}${path}/turns/${old.turnId}/regenerate/stream`, {
    body: { turnId: 'lost' },
  });
  await again.until('the first delta', () => again.answer() !== '');
  producer.process.signal('SIGKILL');
  const lost = await until('it was found dead', async () => {
    const { json } = await there.get(`${path}/turns/lost`);
    return json.state === 'FAILED' && json;
  });
  expect(lost).toMatchObject({ problem: { code: 'producer_lost' }, regenerates: old.turnId });
  expect(await seen()).toEqual([before[0], before[1], before[2] + 1]);
  await there.patch(path, { model: 'emulator' });
  expect((await there.post(`${path}/turns/${old.turnId}/choose`, { candidate: 1 })).json.chosenCandidate).toBe(1);
  const retried = (await there.post(`${path}/turns/lost/regenerate`)).json;
  expect(retried).toMatchObject({ state: 'COMMITTED', regenerates: old.turnId });
  expect((await there.history(path)).map(([, content]) => content)).toEqual(['Why?', retried.text]);
});
