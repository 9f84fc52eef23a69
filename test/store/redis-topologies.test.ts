// The same promises on a Cluster and through Sentinel, and what only those can do to a session. All of it as the user of
// deploy/redis-users.acl, who may do no more than the service needs.

import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisConfig } from '../../src/adapters/redis/redis-client.ts';
import { RedisSeals } from '../../src/adapters/redis/redis-seals.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import { keysUnder, openRedisStore, type RedisTarget, sweep, uniquePrefix } from '../support/redis-stores.ts';
import {
  type RedisCluster,
  type RedisSentinels,
  startRedisCluster,
  startRedisSentinels,
} from '../support/redis-topologies.ts';
import { addUser, REDIS_USER, refusedTo } from '../support/redis-user.ts';
import { until } from '../support/until.ts';
import {
  aBatch,
  aChange,
  aKey,
  anEnding,
  aSession,
  begin,
  bytes,
  commitTurn,
  historyOf,
  isGone,
  logOf,
  plain,
  refusalOf,
} from './builders.ts';
import { CONFORMANCE_RULES } from './conformance/bench.ts';
import { type MakeStore, storeConformance } from './conformance.ts';

/** Enough for several pages; the long list is tested on a single server. */
const MANY_SESSIONS = 250;

const configOf = (target: RedisTarget, keyPrefix: string): RedisConfig => {
  return { target, ...REDIS_USER, keyPrefix, commandTimeoutMs: 5000 };
};

/** Two stores for all tests, emptied after each of them: to open them takes a Cluster longer than most tests. */
function makeStores(target: () => RedisTarget, clients: () => readonly Redis[]): MakeStore {
  const prefix = uniquePrefix();
  let opened: Promise<readonly [SessionStore, SessionStore]> | undefined;
  const open = () => openRedisStore(configOf(target(), prefix), CONFORMANCE_RULES);
  afterAll(async () => {
    for (const store of (await opened) ?? []) await store.close();
  });
  return async () => {
    opened ??= Promise.all([open(), open()]);
    const [store, other] = await opened;
    return {
      store,
      other,
      async close() {
        return (await Promise.all(clients().map((client) => sweep(client, prefix)))).flat();
      },
    };
  };
}

describe('on a Cluster', () => {
  let cluster: RedisCluster;
  let clients: Redis[];
  const target = (): RedisTarget => ({ kind: 'cluster', nodes: cluster.nodes });

  beforeAll(async () => {
    cluster = await startRedisCluster();
    clients = cluster.masters.map((master) => master.client());
    for (const client of clients) await addUser(client, 'csp-test-');
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await cluster.stop();
  });

  storeConformance(
    'the Redis store on three masters',
    makeStores(target, () => clients),
    { manySessions: MANY_SESSIONS },
  );

  it('the first commands of a new connection are answered, however many come at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const store = await openRedisStore(configOf(target(), uniquePrefix()));
      const reads = Array.from({ length: 50 }, () => isGone(store, aKey()));
      expect(await Promise.all(reads)).toEqual(Array(50).fill(true));
      await store.close();
    }
  });

  it('the seals of all sessions are found, on whichever master, and can be wrapped anew', async () => {
    const config = configOf(target(), uniquePrefix());
    const store = await openRedisStore(config);
    const keys = Array.from({ length: 20 }, () => aKey());
    for (const [i, key] of keys.entries()) {
      await store.create(key, aSession(i === 0 ? {} : { seal: { id: `s${i}`, wrappedKey: bytes(`key ${i}`) } }));
    }
    // The service's own user may not look through all keys.
    const { username: _username, password: _password, ...asOperator } = config;
    const seals = new RedisSeals(asOperator, () => undefined);
    await seals.reached();
    const found = new Map<string, string | undefined>();
    for await (const { address, seal } of seals.all()) found.set(address, seal?.id);
    expect(found).toEqual(new Map(keys.map((key, i) => [store.addressOf(key), i === 0 ? undefined : `s${i}`])));
    for (const [i, key] of keys.entries()) {
      const isThere = await seals.rewrap(store.addressOf(key), { id: `s${i}`, wrappedKey: bytes(`anew ${i}`) });
      expect(isThere).toBe(i > 0);
      if (isThere) expect(plain((await store.read(key)).seal?.wrappedKey ?? bytes(''))).toBe(`anew ${i}`);
      await store.delete(key);
    }
    seals.close();
    await store.close();
    for (const client of clients) await sweep(client, config.keyPrefix);
  });

  it('each session lives on one slot, and the sessions are spread over the masters', async () => {
    const prefix = uniquePrefix();
    const store = await openRedisStore(configOf(target(), prefix));
    const { owner } = aKey();
    for (let i = 0; i < 20; i += 1) {
      const key = aKey(owner);
      await store.create(key, aSession({ messages: [bytes('a')] }));
      await commitTurn(store, key, { fullRecord: bytes('all') });
    }
    const slots = new Map<string, Set<number>>();
    const masters = new Set<number>();
    for (const [index, client] of clients.entries()) {
      for (const key of await keysUnder(client, prefix)) {
        masters.add(index);
        const tag = /\{.*\}/.exec(key)?.[0] ?? key;
        slots.set(tag, (slots.get(tag) ?? new Set()).add(Number(await client.cluster('KEYSLOT', key))));
      }
    }
    expect(slots.size).toBe(20 + 1);
    for (const ofOne of slots.values()) expect(ofOne.size).toBe(1);
    expect(masters.size).toBe(3);
    await store.close();
    for (const client of clients) await sweep(client, prefix);
  });

  it('whoever connects, asks and watches is refused nothing', async () => {
    for (const client of clients) expect(await refusedTo(client)).toEqual([]);
  });

  it('a session goes on while its slot moves to another master', async () => {
    const prefix = uniquePrefix();
    const store = await openRedisStore(configOf(target(), prefix));
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('a')] }));
    const turn = await begin(store, key);
    await store.append(key, turn.epoch, aBatch(0, 1));
    const move = await startMove(prefix, key.sessionId);
    await move.halfOfTheKeys();
    const appending = store.append(key, turn.epoch, aBatch(1, 2));
    const reading = store.read(key);
    await move.theRest();
    expect(await appending).toEqual({ outcome: 'appended' });
    expect((await reading).running?.turnId).toBe(turn.turnId);
    await move.end();
    const ending = anEnding(turn, { batch: aBatch(2, 3) });
    expect(await store.finish(key, ending)).toEqual({ outcome: 'finished', version: 2 });
    expect(await logOf(store, key, turn.epoch)).toBe('<0..1><1..2><2..3>');
    expect((await begin(store, key)).history).toHaveLength(3);
    for (const client of clients) expect(await refusedTo(client)).toEqual([]);
    await store.close();
    for (const client of clients) await sweep(client, prefix);
  });

  it('is found at the first attempt', async () => {
    const config = configOf(target(), uniquePrefix());
    let slow = 0;
    for (let round = 0; round < 30; round += 1) {
      const began = performance.now();
      const store = await openRedisStore(config);
      // The second attempt comes after 100 ms.
      if (performance.now() - began > 95) slow += 1;
      await store.close();
    }
    expect(slow).toBeLessThan(4);
  });

  // Last: the cluster needs a while to believe in itself again.
  it('is refused at once while all masters are away, and found again by itself', async () => {
    const prefix = uniquePrefix();
    const store = await openRedisStore(configOf(target(), prefix));
    const key = aKey();
    await store.create(key, aSession({ messages: [bytes('a')] }));
    const turn = await begin(store, key);
    await Promise.all(cluster.masters.map((master) => master.kill()));
    await until('the connection has noticed', async () => !(await store.isReady()));
    const began = performance.now();
    for (let i = 0; i < 20; i += 1) expect(await refusalOf(store.read(key))).toBe('store_unavailable');
    expect(performance.now() - began).toBeLessThan(1000);
    await Promise.all(cluster.masters.map((master) => master.start()));
    // These servers keep their users in memory only.
    for (const client of clients) await addUser(client, 'csp-test-');
    await until('the store answers', () => store.read(key).catch(() => undefined));
    expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'finished', version: 2 });
    expect(await historyOf(store, key)).toHaveLength(3);
    await store.close();
  });

  /** Moves the slot of a session by hand, step by step, as a resharding does. */
  async function startMove(prefix: string, sessionId: string) {
    const found = await Promise.all(clients.map((client) => keysUnder(client, prefix)));
    const from = found.findIndex((keys) => keys.some((key) => key.includes(sessionId)));
    const [source, destination] = [clients[from], clients[(from + 1) % clients.length]];
    if (!source || !destination) throw new Error('no such session on any master');
    const keys = found[from]?.filter((key) => key.includes(sessionId)) ?? [];
    const slot = Number(await source.cluster('KEYSLOT', keys[0] ?? ''));
    const ids = await Promise.all([source, destination].map((client) => client.call('CLUSTER', 'MYID')));
    const [sourceId, destinationId] = ids.map(String);
    await destination.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(sourceId));
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(destinationId));
    const port = Number(destination.options.port);
    const migrate = (some: readonly string[]) => {
      return source.call('MIGRATE', '127.0.0.1', port, '', 0, 5000, 'KEYS', ...some);
    };
    return {
      halfOfTheKeys: () => migrate(keys.slice(0, 2)),
      theRest: () => migrate(keys.slice(2)),
      async end() {
        for (const client of [destination, source]) {
          await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(destinationId));
        }
      },
    };
  }
});

describe('through Sentinel', () => {
  let sentinels: RedisSentinels;
  let clients: Redis[];
  const target = (): RedisTarget => {
    return { kind: 'sentinel', sentinels: sentinels.sentinels, master: sentinels.masterName };
  };

  beforeAll(async () => {
    sentinels = await startRedisSentinels();
    clients = [sentinels.master.client(), sentinels.replica.client()];
    for (const client of clients) await addUser(client, 'csp-test-');
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await sentinels.stop();
  });

  storeConformance(
    'the Redis store behind three sentinels',
    makeStores(target, () => clients.slice(0, 1)),
    { manySessions: MANY_SESSIONS },
  );

  // Last: the master is another one afterwards.
  it('a session goes on after a failover', async () => {
    const prefix = uniquePrefix();
    const store = await openRedisStore(configOf(target(), prefix));
    const key = aKey();
    await store.create(key, aSession());
    const turn = await begin(store, key);
    // Without it the old master takes writes for seconds that nobody will ever see again.
    await clients[0]?.config('SET', 'min-replicas-to-write', '1');
    await until('the replica has it', async () => Number(await clients[0]?.wait(1, 1000)) === 1);
    await sentinels.failOver();
    await until('the store writes again', async () => {
      return (await store.update(key, aChange(1)).catch(() => undefined)) !== undefined;
    });
    // The connection may be made anew once more: a resend is what the domain would do, too.
    const finished = await until('the store answers', () => {
      return store.finish(key, anEnding(turn, { version: 3 })).catch(() => undefined);
    });
    expect(finished).toEqual({ outcome: 'finished', version: 3 });
    await until('the store is ready', () => store.isReady());
    expect(await historyOf(store, key)).toHaveLength(2);
    expect(await keysUnder(clients[1] ?? expect.unreachable(), prefix)).not.toEqual([]);
    for (const client of clients) expect(await refusedTo(client)).toEqual([]);
    await store.close();
  });
});
