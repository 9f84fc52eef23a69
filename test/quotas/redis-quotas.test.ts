// What is counted in Redis keeps the port's promises, and shows nobody's name.

import { Redis } from 'ioredis';
import { afterAll, expect, inject, it } from 'vitest';
import { requestsKey } from '../../src/adapters/redis/keys.ts';
import { RATE_WINDOW } from '../../src/chat/quotas.ts';
import { configOf, keysUnder, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { quotasConformance } from './conformance.ts';

const client = new Redis(inject('redisUrl'));
afterAll(() => client.disconnect());

quotasConformance('the Redis adapter', async (rateWindow) => {
  const prefix = uniquePrefix();
  const config = configOf(inject('redisUrl'), prefix);
  const [store, other] = await Promise.all([
    openRedisStore(config, { rateWindow }),
    openRedisStore(config, { rateWindow }),
  ]);
  return {
    quotas: store.quotas,
    other: other.quotas,
    async close() {
      await Promise.all([store.close(), other.close()]);
      return sweep(client, prefix);
    },
  };
});

it('neither owners nor addresses can be read in the keys, and every key goes by itself', async () => {
  const prefix = uniquePrefix();
  const store = await openRedisStore(configOf(inject('redisUrl'), prefix));
  const { quotas } = store;
  await quotas.count({ kind: 'owner', name: 'alice' }, 5);
  await quotas.count({ kind: 'address', name: '192.0.2.7' }, 5);
  await quotas.take({ kind: 'turns', owner: 'alice', id: '1' }, { placesMax: 5, leaseMs: 9000 });
  await quotas.keep([{ kind: 'streams', owner: 'alice', id: '2' }], 9000);
  const keys = await keysUnder(client, prefix);
  expect(keys).toHaveLength(4);
  expect(keys.join()).not.toMatch(/alice|192\.0/);
  const lifetimes = await Promise.all(keys.map((key) => client.pttl(key)));
  expect(Math.min(...lifetimes)).toBeGreaterThan(0);
  expect(Math.max(...lifetimes)).toBeLessThanOrEqual(65_000);
  await store.close();
  expect(await sweep(client, prefix)).toEqual([]);
});

it('a lowered limit: the wait is until enough old requests have gone, and a refused request is not counted', async () => {
  const prefix = uniquePrefix();
  const store = await openRedisStore(configOf(inject('redisUrl'), prefix));
  const owner = { kind: 'owner', name: 'alice' } as const;
  const key = requestsKey(prefix, owner);
  const { stepMs, steps } = RATE_WINDOW;
  const nowMs = async () => (([s = 0, us = 0]) => Number(s) * 1000 + Number(us) / 1000)(await client.time());
  const now = Math.floor((await nowMs()) / stepMs);
  // What is old enough to be forgotten, what is about to be, and what is not.
  await client.hset(key, { [now - 13]: 50, [now - 10]: 2, [now - 4]: 2, [now - 1]: 1 });
  for (const [limit, last] of [
    [5, now - 10],
    [4, now - 10],
    [3, now - 4],
    [2, now - 4],
    [1, now - 1],
  ] as const) {
    const { isAdmitted, remaining, waitMs } = await store.quotas.count(owner, limit);
    const dueMs = (last + steps + 1) * stepMs - (await nowMs());
    expect({ limit, isAdmitted, remaining }).toEqual({ limit, isAdmitted: false, remaining: 0 });
    expect(waitMs - dueMs).toBeGreaterThanOrEqual(0);
    expect(waitMs - dueMs).toBeLessThan(stepMs);
  }
  expect(await client.hgetall(key)).toEqual({ [now - 10]: '2', [now - 4]: '2', [now - 1]: '1' });
  await store.close();
  await client.unlink(key);
});

it('a place that was freed leaves no key, also when its replica closes at once', async () => {
  const prefix = uniquePrefix();
  const store = await openRedisStore(configOf(inject('redisUrl'), prefix));
  const place = { kind: 'turns', owner: 'o', id: '1' } as const;
  await store.quotas.take(place, { placesMax: 5, leaseMs: 60_000 });
  const freed = store.quotas.free(place);
  await store.close();
  await freed;
  expect(await keysUnder(client, prefix)).toEqual([]);
});
