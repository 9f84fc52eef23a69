// The subscriptions behind `watch` and `onCancel`, when their connection breaks or Redis stands still.

import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import { RedisServer } from '../support/redis-server.ts';
import { configOf, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import { aKey, aSession, begin, refusalOf } from './builders.ts';

describe('the doorbells of the Redis store', () => {
  let server: RedisServer;
  let client: Redis;
  let prefix: string;
  let store: RedisSessionStore;

  beforeAll(async () => {
    server = await RedisServer.start();
    client = server.client();
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });
  beforeEach(async () => {
    prefix = uniquePrefix();
    store = await openRedisStore(configOf(server.url, prefix, 400));
  });
  afterEach(async () => {
    await store.close();
    expect(await sweep(client, prefix)).toEqual([]);
    await until('all subscriptions are gone', async () => (await channels()).length === 0);
  });

  async function channels(): Promise<readonly string[]> {
    return (await client.call('PUBSUB', 'SHARDCHANNELS', `${prefix}:*`)) as string[];
  }

  it('are taken back when they come too late for who waited', async () => {
    const open = await store.watch(aKey(), () => undefined);
    server.pause();
    const late = Array.from({ length: 3 }, () => refusalOf(store.watch(aKey(), () => undefined)));
    expect(await Promise.all(late)).toEqual(Array(3).fill('store_unavailable'));
    server.resume();
    // Asked for afterwards on the same connection, so answered after them.
    const next = await until('the store watches again', () =>
      store.watch(aKey(), () => undefined).catch(() => undefined),
    );
    await until('only those are left that somebody waits for', async () => (await channels()).length === 2);
    next.close();
    open.close();
  });

  it('ring when their connection has been broken and is back, for what was missed', async () => {
    const key = aKey();
    await store.create(key, aSession());
    // The first one connects.
    const first = await store.watch(aKey(), () => undefined);
    let rings = 0;
    const watch = await store.watch(key, () => {
      rings += 1;
    });
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it rings by itself', () => rings > 0);
    expect(await channels()).toHaveLength(2);
    const before = rings;
    await begin(store, key);
    await until('it hears again', () => rings > before);
    watch.close();
    first.close();
  });

  it('do not mind that the store is closed while their connection is down', async () => {
    const other = await openRedisStore(configOf(server.url, prefix, 400));
    other.onCancel(() => undefined);
    await other.watch(aKey(), () => undefined);
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await other.close();
  });
});
