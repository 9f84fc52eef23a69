// Processes over one Redis: they share, they survive each other, and they survive it.

import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { Client } from '../support/client.ts';
import { RedisServer } from '../support/redis-server.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { type SpawnedService, spawnService, statusOf } from '../support/spawned-service.ts';
import { until } from '../support/until.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

function replica(variables: Readonly<Record<string, string>> = {}, prefix = uniquePrefix()): Promise<SpawnedService> {
  return spawnService({
    REDIS_URL: inject('redisUrl'),
    REDIS_KEY_PREFIX: prefix,
    VERTEX_AI_EMULATOR_HOST: emulator.address,
    DEFAULT_MODEL: 'emulator',
    ...variables,
  });
}

test('after turn.committed the other replica reads the new messages at once', { timeout: 60_000 }, async () => {
  const prefix = uniquePrefix();
  await using first = await replica({}, prefix);
  await using second = await replica({}, prefix);
  const clients = [new Client(first.url), new Client(second.url)] as const;
  const path = await clients[0].session({});
  for (let i = 0; i < 50; i += 1) {
    const [here, there] = i % 2 === 0 ? clients : ([clients[1], clients[0]] as const);
    const stream = here.stream(path, { message: `question ${i}` });
    await stream.until('the commit', ({ terminal }) => terminal !== undefined);
    expect(stream.terminal?.event).toBe('turn.committed');
    const history = await there.history(path);
    expect(history.slice(-2)).toEqual([
      ['user', `question ${i}`],
      ['bot', stream.answer()],
    ]);
    await stream.done();
  }
  const { json: list } = await clients[1].get('/v1/sessions');
  expect(list.sessions.map(({ messageCount }: { messageCount: number }) => messageCount)).toEqual([100]);
});

test('a restart loses nothing', { timeout: 60_000 }, async () => {
  const prefix = uniquePrefix();
  const before = await replica({}, prefix);
  const client = new Client(before.url);
  const path = await client.session({ context: 'kept', metadata: { a: 'b' } });
  await client.post(`${path}/messages`, { message: 'hello', turnId: 'it' });
  const answers = await Promise.all([path, `${path}/messages`, `${path}/turns/it`].map((url) => client.get(url)));
  await before.process.end();
  expect(before.process.exitCode).toBe(0);
  await using after = await replica({}, prefix);
  const again = new Client(after.url);
  const kept = await Promise.all([path, `${path}/messages`, `${path}/turns/it`].map((url) => again.get(url)));
  expect(kept.map(({ text }) => text)).toEqual(answers.map(({ text }) => text));
  const next = await again.post(`${path}/messages`, { message: 'go on' });
  expect(next.json).toMatchObject({ state: 'COMMITTED', sent: { messages: 3 } });
});

test('a producer that is killed leaves one failed turn, an unchanged history and a usable session', {
  timeout: 60_000,
}, async () => {
  const prefix = uniquePrefix();
  const lease = { LEASE_MS: '1500' };
  await using first = await replica(lease, prefix);
  await using second = await replica(lease, prefix);
  const here = new Client(first.url);
  const there = new Client(second.url);
  const path = await here.session({});
  const stream = here.stream(path, { message: '[[stall]]', turnId: 'lost' });
  await stream.until('the first delta', () => stream.answer() !== '');
  expect((await there.post(`${path}/messages`, { message: 'me too' })).json).toMatchObject({
    code: 'turn_in_progress',
  });
  first.process.signal('SIGKILL');
  const turn = await until('the turn is reaped', async () => {
    const { json } = await there.get(`${path}/turns/lost`);
    return json.state === 'RUNNING' ? undefined : json;
  });
  expect(turn).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost', retryable: true } });
  expect(await there.history(path)).toEqual([]);
  expect((await there.post(`${path}/messages`, { message: 'again' })).json.state).toBe('COMMITTED');
  expect((await there.get(path)).json).not.toHaveProperty('activeTurn');
});

test('a producer that was frozen beyond its lease cannot write any more', { timeout: 60_000 }, async () => {
  const prefix = uniquePrefix();
  const lease = { LEASE_MS: '1000' };
  await using first = await replica(lease, prefix);
  await using second = await replica(lease, prefix);
  const here = new Client(first.url);
  const there = new Client(second.url);
  const path = await here.session({});
  const stream = here.stream(path, { message: '[[slow:300]] [[chunks:6]]', turnId: 'zombie' });
  await stream.until('the first delta', () => stream.answer() !== '');
  first.process.signal('SIGSTOP');
  const state = async () => (await there.get(`${path}/turns/zombie`)).json.state;
  await until('the turn is reaped', async () => (await state()) === 'FAILED');
  expect((await there.post(`${path}/messages`, { message: 'again' })).json.state).toBe('COMMITTED');
  const { text: before } = await there.get(`${path}/messages`);
  first.process.signal('SIGCONT');
  await stream.done();
  expect(stream.terminal).toMatchObject({ event: 'turn.failed', data: { problem: { code: 'producer_lost' } } });
  expect((await there.get(`${path}/messages`)).text).toBe(before);
});

test('a session deleted and made again elsewhere cancels the old turn here', { timeout: 60_000 }, async () => {
  const prefix = uniquePrefix();
  await using first = await replica({}, prefix);
  await using second = await replica({}, prefix);
  const here = new Client(first.url);
  const there = new Client(second.url);
  const path = await here.session({ id: 'again' });
  const stream = here.stream(path, { message: '[[stall]]' });
  await stream.until('the first delta', () => stream.answer() !== '');
  await there.delete(path);
  await there.session({ id: 'again' });
  expect((await here.post(`${path}/messages`, { message: 'new' })).json.state).toBe('COMMITTED');
  await stream.done();
  expect(stream.terminal?.event).toBe('turn.cancelled');
  expect((await there.history(path)).length).toBe(2);
});

test('a Redis that is not there yet: alive, not ready, and ready by itself when it comes', {
  timeout: 60_000,
}, async () => {
  const redis = await RedisServer.start();
  await redis.kill();
  await using service = await spawnService(
    { REDIS_URL: redis.url, VERTEX_AI_EMULATOR_HOST: emulator.address, DEFAULT_MODEL: 'emulator' },
    { awaitReady: false },
  );
  expect(await statusOf(`${service.url}/readyz`)).toBe(503);
  await redis.start();
  await until('it is ready', async () => (await statusOf(`${service.url}/readyz`)) === 200);
  expect((await new Client(service.url).post('/v1/sessions', {})).status).toBe(201);
  await redis.stop();
});

test('a Redis that goes away: sends fail fast, and work again soon after its return', { timeout: 60_000 }, async () => {
  const redis = await RedisServer.start();
  await using service = await spawnService({
    REDIS_URL: redis.url,
    VERTEX_AI_EMULATOR_HOST: emulator.address,
    DEFAULT_MODEL: 'emulator',
  });
  const client = new Client(service.url);
  const path = await client.session({});
  await client.post(`${path}/messages`, { message: 'kept' });
  for (const [leave, come] of [
    [() => redis.kill(), () => redis.start()],
    [() => redis.pause(), () => redis.resume()],
  ] as const) {
    await leave();
    const startedAt = performance.now();
    const refused = await client.post(`${path}/messages`, { message: 'away' });
    expect(refused.json).toMatchObject({ status: 503, code: 'store_unavailable', retryable: true });
    expect(performance.now() - startedAt).toBeLessThan(6000);
    await come();
    await until('it is ready', async () => (await statusOf(`${service.url}/readyz`)) === 200);
    await until(
      'a send works',
      async () => {
        return (await client.post(`${path}/messages`, { message: 'back' })).json.state === 'COMMITTED';
      },
      { deadlineMs: 30_000, everyMs: 200 },
    );
  }
  expect((await client.history(path))[0]).toEqual(['user', 'kept']);
  await redis.stop();
});

test('SIGTERM with a stream that stays open for longer than Fastify waits for plugins ends with 0', {
  timeout: 60_000,
}, async () => {
  const service = await replica({ DRAIN_MS: '11000' });
  const client = new Client(service.url);
  const path = await client.session({});
  const stream = client.stream(path, { message: '[[stall]]' });
  await stream.until('the first delta', () => stream.answer() !== '');
  service.process.signal('SIGTERM');
  await stream.done();
  expect(stream.terminal?.data.problem.code).toBe('draining');
  await until('the process has ended', () => service.process.hasExited);
  expect(service.process.exitCode).toBe(0);
});
