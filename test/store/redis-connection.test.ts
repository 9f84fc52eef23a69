// The way to Redis: found, refused, closed, and how often it is gone. On a server of its own, whose settings it changes.

import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sessionKeys } from '../../src/adapters/redis/keys.ts';
import { RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import { freePort } from '../support/free-port.ts';
import { RedisServer } from '../support/redis-server.ts';
import { configOf, openRedisStore, STORE_RULES, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import { aKey, anEnding, aSession, begin, bytes, isGone, refusalOf } from './builders.ts';

describe('the connection of the Redis store', () => {
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
    store = await openRedisStore(configOf(server.url, prefix));
  });
  afterEach(async () => {
    await store.close();
    expect(await sweep(client, prefix)).toEqual([]);
  });
  it('becomes ready by itself when Redis comes up after it', async () => {
    const port = await freePort();
    const errors: Error[] = [];
    const early = new RedisSessionStore(configOf(`redis://127.0.0.1:${port}`, prefix, 200), STORE_RULES, (error) => {
      errors.push(error);
    });
    expect(await early.isReady()).toBe(false);
    expect(await refusalOf(early.read(aKey()))).toBe('store_unavailable');
    await until('the trouble is reported', () => errors.length > 0);
    const late = await RedisServer.start({ port });
    await until('the store is ready', () => early.isReady());
    expect(await isGone(early, aKey())).toBe(true);
    await early.close();
    await late.stop();
  });

  it('says what Redis refused, without the contents that it was given', async () => {
    const key = aKey();
    await store.create(key, aSession());
    const turn = await begin(store, key);
    // A log that is no stream, as only a stranger's hand can make it.
    await client.set(sessionKeys(prefix, key).events, 'x', 'EX', 60);
    const messages = [bytes('my secret'), bytes('my secret')] as const;
    const error: unknown = await store.finish(key, anEnding(turn, { messages })).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'internal', cause: { message: expect.stringContaining('WRONGTYPE') } });
    const shown = inspect(error, { depth: Infinity, showHidden: true });
    for (const form of ['my secret', bytes('my secret').join(), Buffer.from('my secret').toString('hex')]) {
      expect(shown.replaceAll(' ', '')).not.toContain(form.replaceAll(' ', ''));
    }
    expect(JSON.stringify(error)).not.toContain(bytes('my secret').join());
  });

  it('needs the password that Redis wants', async () => {
    await client.config('SET', 'requirepass', 'secret');
    const url = new URL(server.url);
    try {
      const stranger = new RedisSessionStore(configOf(url.href, prefix, 200), STORE_RULES, () => undefined);
      expect(await refusalOf(stranger.read(aKey()))).toBe('store_unavailable');
      await stranger.close();
      url.password = 'secret';
      const friend = await openRedisStore(configOf(url.href, prefix));
      expect(await isGone(friend, aKey())).toBe(true);
      await friend.close();
    } finally {
      await client.config('SET', 'requirepass', '');
    }
  });

  it('keeps to the database it is told', async () => {
    const elsewhere = await openRedisStore(configOf(`${server.url}/1`, prefix));
    const key = aKey();
    await elsewhere.create(key, aSession());
    expect(await isGone(store, key)).toBe(true);
    await elsewhere.delete(key);
    await elsewhere.close();
  });

  it('brings to the list what was still to be done when it is closed, and refuses everything afterwards', async () => {
    const closing: SessionStore = await openRedisStore(configOf(server.url, prefix));
    const key = aKey();
    await store.create(key, aSession());
    await until('the clock has moved on', async () => Date.now() > (await store.read(key)).updateTimeMs);
    const newer = { owner: key.owner, sessionId: 'newer' };
    const { updateTimeMs } = await store.create(newer, aSession());
    await until('the clock has moved on', () => Date.now() > updateTimeMs);
    // The list's script has to be loaded after that of the turn: two more ways to Redis, which a close has to wait for.
    await client.script('FLUSH');
    await begin(closing, key);
    await closing.close();
    expect((await store.list(key.owner, 1)).items[0]?.sessionId).toBe(key.sessionId);
    expect(await refusalOf(closing.read(key))).toBe('store_unavailable');
    expect(await closing.isReady()).toBe(false);
  });

  it('lists a page of 2,000 sessions with as many commands as the page needs', async () => {
    const { owner } = aKey();
    for (let i = 0; i < 40; i += 1) {
      await Promise.all(Array.from({ length: 50 }, () => store.create(aKey(owner), aSession())));
    }
    const commands = async () => {
      return Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]);
    };
    let pageToken: string | undefined;
    for (let page = 0; page < 3; page += 1) {
      const before = await commands();
      const { items, nextPageToken } = await store.list(owner, 20, pageToken);
      expect(items).toHaveLength(20);
      // Each is read by a script of two commands.
      expect((await commands()) - before).toBeLessThan(3 * 20 + 10);
      pageToken = nextPageToken;
    }
  });
});
