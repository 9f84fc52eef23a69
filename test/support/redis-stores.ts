// Redis session stores for tests: each with a key prefix of its own, counted and swept afterwards.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { RedisConfig } from '../../src/adapters/redis/redis-client.ts';
import { type RedisRules, RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import { RATE_WINDOW } from '../../src/chat/quotas.ts';
import { until } from './until.ts';

export const STORE_RULES: RedisRules = {
  logTtlMs: 60_000,
  runningLogTtlMs: 120_000,
  ledgerTurnsMax: 1000,
  ledgerBytesMax: 64 * 1024 * 1024,
  usageTtlMs: 86_400_000,
  rateWindow: RATE_WINDOW,
};

export type RedisTarget = RedisConfig['target'];

export function uniquePrefix(): string {
  return `csp-test-${randomUUID()}`;
}

/** `redis://[user[:password]@]host:port[/db]`, the form of TEST_REDIS_URL. */
export function configOf(url: string, keyPrefix: string, commandTimeoutMs = 5000): RedisConfig {
  const { hostname, port, pathname, username, password } = new URL(url);
  const address = { host: hostname, port: Number(port || 6379) };
  return {
    target: { kind: 'single', address, db: Number(pathname.slice(1) || 0) },
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    keyPrefix,
    commandTimeoutMs,
  };
}

/** A store that can be used at once: its connection is up. Errors of the connection are part of some tests: not fatal. */
export async function openRedisStore(config: RedisConfig, rules: Partial<RedisRules> = {}): Promise<RedisSessionStore> {
  const store = new RedisSessionStore(config, { ...STORE_RULES, ...rules }, () => undefined);
  await until('the store is ready', () => store.isReady());
  return store;
}

/** All keys under a prefix. `client` is connected to one server: ask each of a cluster. */
export async function keysUnder(client: Redis, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = await client.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1000);
    cursor = next;
    keys.push(...found);
  } while (cursor !== '0');
  return keys;
}

/** The leak check of every test: what would stay in Redis for ever. Removes all keys of the prefix. */
export async function sweep(client: Redis, prefix: string): Promise<readonly string[]> {
  const immortal: string[] = [];
  for (const key of await keysUnder(client, prefix)) {
    if ((await client.pttl(key)) === -1) immortal.push(key);
    await client.unlink(key);
  }
  return immortal;
}
