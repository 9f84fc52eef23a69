// The store in a single Redis keeps the port's promises.

import { Redis } from 'ioredis';
import { afterAll, inject } from 'vitest';
import { configOf, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { CONFORMANCE_RULES } from './conformance/bench.ts';
import { storeConformance } from './conformance.ts';

const client = new Redis(inject('redisUrl'));
afterAll(() => client.disconnect());

storeConformance('the Redis store', async () => {
  const prefix = uniquePrefix();
  const config = configOf(inject('redisUrl'), prefix);
  const [store, other] = await Promise.all([
    openRedisStore(config, CONFORMANCE_RULES),
    openRedisStore(config, CONFORMANCE_RULES),
  ]);
  return {
    store,
    other,
    async close() {
      await Promise.all([store.close(), other.close()]);
      return sweep(client, prefix);
    },
  };
});
