// A Redis that has been started again and still reads its data: alive, and of no use yet.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.ts';
import { configOf, openRedisStore, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import { aKey, aSession, commitTurn, historyOf, refusalOf } from './builders.ts';

/** Redis answers others between each so many commands that it loads. */
const COMMANDS_BETWEEN_ANSWERS = 1024;
const TURNS = COMMANDS_BETWEEN_ANSWERS / 4;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start({ args: ['--key-load-delay', '100'] });
});
afterAll(() => server.stop());

it('is unavailable while it loads, and then has everything', { timeout: 30_000 }, async () => {
  const store = await openRedisStore(configOf(server.url, uniquePrefix()));
  try {
    const key = aKey();
    await store.create(key, aSession());
    for (let i = 0; i < TURNS; i += 1) await commitTurn(store, key);
    await server.kill();
    const started = server.start();
    await until('Redis is loading', () => isLoading(server.port));
    const askedAt = performance.now();
    expect(await refusalOf(store.read(key))).toBe('store_unavailable');
    expect(await store.isReady()).toBe(false);
    expect(performance.now() - askedAt).toBeLessThan(1000);
    await started;
    await until('the store is ready', () => store.isReady());
    expect(await historyOf(store, key)).toHaveLength(2 * TURNS);
    expect((await commitTurn(store, key)).version).toBe(TURNS + 1);
  } finally {
    await store.close();
  }
});

/** Asks what an ordinary client would wait with. */
async function isLoading(port: number): Promise<boolean> {
  const client = new Redis(port, '127.0.0.1', { enableReadyCheck: false, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.ping();
    return false;
  } catch (error) {
    return String(error).includes('LOADING');
  } finally {
    client.disconnect();
  }
}
