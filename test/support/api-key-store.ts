// API keys in a Redis, as `npm run keys` makes them.

import { RedisApiKeys } from '../../src/adapters/redis/redis-api-keys.ts';

/** To be closed by the test. */
export async function openApiKeys(redisUrl: string, keyPrefix: string): Promise<RedisApiKeys> {
  const { hostname: host, port } = new URL(redisUrl);
  const target = { kind: 'single' as const, address: { host, port: Number(port) }, db: 0 };
  const now = () => performance.now();
  const keys = new RedisApiKeys({ target, keyPrefix, commandTimeoutMs: 2000 }, now, () => {});
  await keys.reached();
  return keys;
}
