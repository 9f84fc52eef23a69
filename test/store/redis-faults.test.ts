// What can happen to the Redis behind a store: it loses its scripts, stands still, dies, is full, may not be written.
// On a server of its own, which the tests may mistreat.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import type { SessionKey } from '../../src/chat/session.ts';
import { freePort } from '../support/free-port.ts';
import { contentsUnder } from '../support/redis-contents.ts';
import { RedisServer } from '../support/redis-server.ts';
import { configOf, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import {
  aBatch,
  aChange,
  aKey,
  anEnding,
  aReap,
  aRewind,
  aSession,
  aTurn,
  type BegunTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  historyOf,
  isGone,
  logOf,
  refusalOf,
} from './builders.ts';

const COMMAND_TIMEOUT_MS = 400;

const keyed = () => aSession({ idempotency: { key: randomUUID(), fingerprint: 'f', ttlMs: 60_000 } });

describe('the Redis store', () => {
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
    store = await openRedisStore(configOf(server.url, prefix, COMMAND_TIMEOUT_MS));
  });
  afterEach(async () => {
    await store.close();
    expect(await sweep(client, prefix)).toEqual([]);
  });

  /** A session with a running turn that has a log, one with a turn whose producer is dead, and one that is idle. */
  async function underWay() {
    const [key, deadKey, idleKey] = [aKey(), aKey(), aKey()];
    await store.create(key, aSession({ messages: [bytes('a')] }));
    const turn = await begin(store, key);
    await store.append(key, turn.epoch, aBatch(0, 1));
    await store.create(deadKey, aSession());
    const dead = await beginDeadTurn(store, deadKey);
    await store.create(idleKey, aSession({ messages: [bytes('a')] }));
    return { key, turn, deadKey, dead, idleKey };
  }

  type UnderWay = Awaited<ReturnType<typeof underWay>>;

  const writes = ({ key, turn, deadKey, dead, idleKey }: UnderWay): Record<string, () => Promise<unknown>> => ({
    create: () => store.create(aKey(), aSession({ messages: [bytes('x')] })),
    'create without messages': () => store.create(aKey(), aSession()),
    update: () => store.update(key, aChange(1)),
    rewind: () => store.rewind(idleKey, aRewind(0, 1)),
    'create with a key': () => store.create(aKey(), keyed()),
    append: () => store.append(key, turn.epoch, aBatch(1, 2)),
    renew: () => store.renew(key, turn.epoch, 30_000),
    finish: () => store.finish(key, anEnding(turn, { batch: aBatch(1, 2), fullRecord: bytes('all') })),
    reap: () => store.reap(deadKey, aReap(dead)),
  });

  const reads = ({ key, turn }: UnderWay): Record<string, () => Promise<unknown>> => ({
    read: () => store.read(key),
    list: () => store.list(key.owner, 10),
    readMessages: () => store.readMessages(key, { start: 0, count: 10 }),
    readTurn: () => store.readTurn(key, turn.turnId),
    readFrames: () => store.readFrames(key, turn.epoch, 0),
  });

  /** Each call is refused in time. Together, as a service would make them. */
  async function allUnavailable(calls: Record<string, () => Promise<unknown>>): Promise<void> {
    const began = performance.now();
    const refusals = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => [name, await refusalOf(call())] as const),
    );
    for (const refusal of refusals) expect(refusal[1], refusal[0]).toBe('store_unavailable');
    expect(performance.now() - began).toBeLessThan(COMMAND_TIMEOUT_MS + 400);
  }

  it('works although Redis forgets its scripts at any time', async () => {
    const key = aKey();
    const forgetting = async <T>(call: () => Promise<T>): Promise<T> => {
      await client.script('FLUSH');
      return call();
    };
    expect((await forgetting(() => store.create(key, aSession()))).version).toBe(1);
    expect((await forgetting(() => store.update(key, aChange(1)))).version).toBe(2);
    const turn = await forgetting(() => begin(store, key));
    expect(await forgetting(() => store.append(key, turn.epoch, aBatch(0, 2)))).toEqual({ outcome: 'appended' });
    expect(await forgetting(() => store.renew(key, turn.epoch, 1000))).toEqual({ outcome: 'renewed' });
    const ending = anEnding(turn, { batch: aBatch(2, 3) });
    expect(await forgetting(() => store.finish(key, ending))).toEqual({ outcome: 'finished', version: 3 });
    const dead = await forgetting(() => beginDeadTurn(store, key));
    expect(await forgetting(() => store.reap(key, aReap(dead)))).toBe(true);
    expect(await historyOf(store, key)).toHaveLength(2);
    expect((await store.list(key.owner, 10)).items).toHaveLength(1);
    await forgetting(() => store.delete(key));
    await until('the list has forgotten it', async () => (await client.keys(`${prefix}:*`)).length === 0);
  });

  it('is unavailable while Redis stands still, for no longer than a command may take, and then works again', async () => {
    const scene = await underWay();
    server.pause();
    const begins = { begin: () => store.begin(scene.deadKey, aTurn()) };
    await allUnavailable({ ...writes(scene), ...reads(scene), ...begins });
    expect(await store.isReady()).toBe(false);
    server.resume();
    await until('the store is ready', () => store.isReady());
    // What could not be answered may have been done later: then whole, and once.
    expect(await store.finish(scene.key, anEnding(scene.turn, { batch: aBatch(2, 3), version: 3 }))).toMatchObject({
      outcome: 'finished',
    });
    expect(await historyOf(store, scene.key)).toHaveLength(3);
  });

  it('loses no acknowledged finish when Redis is killed, and takes a resend of the unanswered ones', async () => {
    const keys = Array.from({ length: 5 }, () => aKey());
    const acknowledged = new Map<SessionKey, number>();
    const unanswered = new Map<SessionKey, BegunTurn>();
    for (const key of keys) await store.create(key, aSession());
    const work = async (key: SessionKey) => {
      for (;;) {
        let turn: BegunTurn | undefined;
        try {
          turn = await begin(store, key);
          unanswered.set(key, turn);
          await store.finish(key, anEnding(turn));
          unanswered.delete(key);
          acknowledged.set(key, (acknowledged.get(key) ?? 0) + 1);
        } catch {
          return;
        }
      }
    };
    const working = Promise.all(keys.map(work));
    await until('some turns of each have been acknowledged', () =>
      keys.every((key) => (acknowledged.get(key) ?? 0) > 3),
    );
    await server.kill();
    await working;
    await server.start();
    await until('the store is ready', () => store.isReady());
    for (const key of keys) {
      const turns = acknowledged.get(key) ?? 0;
      const { version, messageCount } = await store.read(key);
      expect([turns, turns + 1]).toContain(version - 1);
      expect(messageCount).toBe(2 * (version - 1));
      const open = unanswered.get(key);
      if (!open) continue;
      expect(await store.finish(key, anEnding(open))).toEqual({ outcome: 'finished', version: turns + 2 });
      expect(await historyOf(store, key)).toHaveLength(2 * (turns + 1));
    }
  });

  it('refuses at once while Redis is down, and finds it again by itself', async () => {
    const scene = await underWay();
    await server.kill();
    await until('the connection has noticed', async () => !(await store.isReady()));
    const began = performance.now();
    for (const call of Object.values({ ...writes(scene), ...reads(scene) })) {
      expect(await refusalOf(call())).toBe('store_unavailable');
    }
    expect(performance.now() - began).toBeLessThan(2 * COMMAND_TIMEOUT_MS);
    await server.start();
    await until('the store is ready', () => store.isReady());
    expect(await historyOf(store, scene.key)).toEqual(['a']);
    expect(await store.append(scene.key, scene.turn.epoch, aBatch(1, 2))).toEqual({ outcome: 'appended' });
  });

  it('is unavailable for writes while Redis is full, writes nothing by halves, and can still delete', async () => {
    const scene = await underWay();
    const before = await contentsUnder(client, prefix);
    await client.config('SET', 'maxmemory', '1');
    try {
      await allUnavailable(writes(scene));
      for (const read of Object.values(reads(scene))) await read();
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
    expect(await contentsUnder(client, prefix)).toEqual(before);
    expect(await store.finish(scene.key, anEnding(scene.turn, { batch: aBatch(1, 2) }))).toMatchObject({ version: 2 });
    await client.config('SET', 'maxmemory', '1');
    await store.delete(scene.key).finally(() => client.config('SET', 'maxmemory', '0'));
    expect(await isGone(store, scene.key)).toBe(true);
  });

  it('is full for a begin as well', async () => {
    const key = aKey();
    await store.create(key, aSession());
    await commitTurn(store, key);
    const before = await contentsUnder(client, prefix);
    await client.config('SET', 'maxmemory', '1');
    await allUnavailable({ begin: () => store.begin(key, aTurn()) }).finally(() =>
      client.config('SET', 'maxmemory', '0'),
    );
    expect(await contentsUnder(client, prefix)).toEqual(before);
  });

  it('is unavailable for writes on a Redis that has become a replica, and writes nothing by halves', async () => {
    const scene = await underWay();
    const before = await contentsUnder(client, prefix);
    await client.replicaof('127.0.0.1', await freePort());
    try {
      for (const [name, call] of Object.entries(writes(scene))) {
        await until('the store is ready', () => store.isReady());
        expect(await refusalOf(call()), name).toBe('store_unavailable');
      }
    } finally {
      await client.replicaof('NO', 'ONE');
    }
    expect(await contentsUnder(client, prefix)).toEqual(before);
    await until('the store is ready', () => store.isReady());
    expect(await store.append(scene.key, scene.turn.epoch, aBatch(1, 2))).toEqual({ outcome: 'appended' });
    expect(await logOf(store, scene.key, scene.turn.epoch)).toBe('<0..1><1..2>');
  });
});
