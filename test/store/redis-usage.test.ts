// The sums of an owner's usage lie on another slot than its sessions: what can happen between the end of a turn and its count.
// On a server of its own, which the tests may mistreat, and on a way to it that they can cut.

import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countedTurnsKey, ownerUsageKey, sessionKeys } from '../../src/adapters/redis/keys.ts';
import type { RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import { SCRIPTS } from '../../src/adapters/redis/scripts.ts';
import type { SessionKey } from '../../src/chat/session.ts';
import { monthOfEpoch } from '../../src/chat/usage-sums.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { RedisServer } from '../support/redis-server.ts';
import { configOf, keysUnder, openRedisStore, STORE_RULES, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import { aKey, anEnding, aSession, type BegunTurn, begin, commitTurn, failTurn } from './builders.ts';

const COMMAND_TIMEOUT_MS = 400;
const USAGE = { promptTokens: 1, outputTokens: 2, thoughtTokens: 0, cachedTokens: 0, totalTokens: 3 };
const COUNT = SCRIPTS.count.sha;

let server: RedisServer;
let client: Redis;
let proxy: FaultProxy;
let prefix: string;
/** Its way to Redis leads through the proxy. */
let store: RedisSessionStore;
let direct: RedisSessionStore;

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
  proxy = await FaultProxy.start(server.address);
  direct = await openRedisStore(configOf(server.url, prefix, COMMAND_TIMEOUT_MS));
  store = await openRedisStore(configOf(`redis://${proxy.address}`, prefix, COMMAND_TIMEOUT_MS));
  await client.script('LOAD', SCRIPTS.count.lua);
});
afterEach(async () => {
  await Promise.all([store.close(), direct.close()]);
  await proxy.stop();
  expect(await sweep(client, prefix)).toEqual([]);
});

async function running(): Promise<{ readonly key: SessionKey; readonly turn: BegunTurn; readonly month: string }> {
  const key = aKey();
  await direct.create(key, aSession());
  const turn = await begin(direct, key);
  return { key, turn, month: monthOfEpoch(turn.epoch) };
}

async function turnsOf(owner: string, month: string): Promise<number> {
  const { byState } = await direct.ownerUsage(owner, month);
  return Object.values(byState).reduce((sum, { turns }) => sum + turns, 0);
}

async function once(fact: string, owner: string, month: string, turns: number): Promise<void> {
  await until(fact, async () => (await turnsOf(owner, month)) >= turns);
}

/** Nothing more comes: another turn, counted after all that were tried before it, is the only one that is added. */
async function expectNoMore(key: SessionKey, month: string, turns: number): Promise<void> {
  await failTurn(store, key, { usage: USAGE });
  await store.close();
  expect(await turnsOf(key.owner, month)).toBe(turns + 1);
}

describe('the count of a turn', () => {
  it('is tried again when Redis was killed just before, until it is back, and happens once', async () => {
    const { key, turn, month } = await running();
    const killed = proxy.doBefore(COUNT, () => server.kill());
    const finished = await store.finish(key, anEnding(turn, { usage: USAGE }));
    await killed;
    expect(finished).toEqual({ outcome: 'finished', version: 2 });
    await until('the connection has noticed', async () => !(await store.isReady()));
    await server.start();
    await until('the stores are ready', async () => (await store.isReady()) && (await direct.isReady()));
    await once('the turn has been counted', key.owner, month, 1);
    expect(await direct.ownerUsage(key.owner, month)).toEqual({
      usage: USAGE,
      byState: { COMMITTED: { turns: 1, ...USAGE } },
    });
    await expectNoMore(key, month, 1);
  });

  it('happens once when Redis was killed just after it, and nobody knows', async () => {
    const { key, turn, month } = await running();
    const counted = proxy.loseReplyTo(COUNT);
    await store.finish(key, anEnding(turn, { usage: USAGE }));
    await counted;
    await server.kill();
    await server.start();
    await until('the stores are ready', async () => (await store.isReady()) && (await direct.isReady()));
    await expectNoMore(key, month, 1);
  });

  it('happens once when only its reply was lost', async () => {
    const { key, turn, month } = await running();
    const counted = proxy.loseReplyTo(COUNT);
    await store.finish(key, anEnding(turn, { usage: USAGE }));
    await counted;
    await until('the store is ready', () => store.isReady());
    await expectNoMore(key, month, 1);
  });

  it('happens once when its reply comes too late, and it is tried again', async () => {
    const { key, turn, month } = await running();
    const passed = proxy.delayReplyTo(COUNT, 2 * COMMAND_TIMEOUT_MS);
    await store.finish(key, anEnding(turn, { usage: USAGE }));
    await passed;
    await until('the store is ready', () => store.isReady());
    await expectNoMore(key, month, 1);
  });

  it('happens although the answer to the end of the turn was lost', async () => {
    const { key, turn, month } = await running();
    await client.script('LOAD', SCRIPTS.finish.lua);
    const taken = proxy.loseReplyTo(SCRIPTS.finish.sha);
    await store.finish(key, anEnding(turn, { usage: USAGE }));
    await taken;
    await once('the turn has been counted', key.owner, month, 1);
    await expectNoMore(key, month, 1);
  });

  /** Ends a turn whose count is refused, since Redis is full by then, until `done` says that it is not any more. */
  async function whileFull(refusals: number, done: (scene: Awaited<ReturnType<typeof running>>) => Promise<void>) {
    const scene = await running();
    await client.config('RESETSTAT');
    const full = proxy.doBefore(COUNT, async () => void (await client.config('SET', 'maxmemory', '1')));
    try {
      await store.finish(scene.key, anEnding(scene.turn, { usage: USAGE }));
      await full;
      await until('it has been refused', async () => {
        const refused = /errorstat_OOM:count=(\d+)/.exec(await client.info('errorstats'))?.[1];
        return Number(refused ?? 0) >= refusals;
      });
      expect(await client.exists(ownerUsageKey(prefix, scene.key.owner, scene.month))).toBe(0);
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
    await done(scene);
  }

  it('is tried again while Redis is full, and what is refused is not added by halves', async () => {
    await whileFull(2, async ({ key, month }) => {
      await once('the turn has been counted', key.owner, month, 1);
      await expectNoMore(key, month, 1);
    });
  });

  it('is waited for by the close of the store, and does not wait then for its next time', async () => {
    // By then the pauses are long enough that nobody comes back for it before the close.
    await whileFull(4, async ({ key, month }) => {
      await store.close();
      expect(await turnsOf(key.owner, month)).toBe(1);
    });
  });

  it('does not hold up the close of the store while Redis is away', async () => {
    const { key, turn } = await running();
    const paused = proxy.doBefore(COUNT, async () => server.pause());
    await store.finish(key, anEnding(turn, { usage: USAGE }));
    await paused;
    const began = performance.now();
    await store.close();
    expect(performance.now() - began).toBeLessThan(2 * COMMAND_TIMEOUT_MS);
    server.resume();
    await until('the store is ready', () => direct.isReady());
  });
});

describe('what an owner’s usage leaves in Redis', () => {
  const lifetimes = async (...keys: readonly string[]) => Promise.all(keys.map((key) => client.pttl(key)));

  it('has a lifetime, which slides with every turn, and shows nothing of the owner', async () => {
    const owner = 'alice@example.com';
    const key = aKey(owner);
    await direct.create(key, aSession());
    const { epoch } = await commitTurn(direct, key, { usage: USAGE });
    const month = monthOfEpoch(epoch);
    await once('the turn has been counted', owner, month, 1);
    const [sums, counted] = [ownerUsageKey(prefix, owner, month), countedTurnsKey(prefix, owner)] as const;
    const expectWhole = async () => {
      const [ofSums = 0, ofCounted = 0] = await lifetimes(sums, counted);
      expect(ofSums).toBeGreaterThan(STORE_RULES.usageTtlMs - 60_000);
      expect(ofSums).toBeLessThanOrEqual(STORE_RULES.usageTtlMs);
      expect(ofCounted).toBeGreaterThan(0);
      expect(ofCounted).toBeLessThanOrEqual(3_600_000);
    };
    await expectWhole();
    for (const name of [sums, counted]) await client.pexpire(name, 20_000);
    await commitTurn(direct, key, { usage: USAGE });
    await once('the next turn has been counted', owner, month, 2);
    await expectWhole();
    const tags = new Set([sums, counted].map((name) => /\{([^}]*)\}/.exec(name)?.[1]));
    expect(tags.size).toBe(1);
    for (const name of await keysUnder(client, prefix)) expect(name).not.toContain('alice');
  });

  /** Counts a turn of an owner of whom others are remembered already: each with its age in ms. */
  async function countAfter(others: readonly (readonly [name: string, ageMs: number])[]): Promise<string> {
    const { key, turn, month } = await running();
    const counted = countedTurnsKey(prefix, key.owner);
    const nowMs = Number((await client.time())[0]) * 1000;
    await client.zadd(counted, ...others.flatMap(([name, ageMs]) => [nowMs - ageMs, name]));
    await direct.finish(key, anEnding(turn, { usage: USAGE }));
    await once('the turn has been counted', key.owner, month, 1);
    // By a name that tells nobody which session it was.
    const [newest = ''] = await client.zrange(counted, '-1', '-1');
    expect(newest).toMatch(/^[\w-]{22}$/);
    return counted;
  }

  it('remembers turns for an hour', async () => {
    const counted = await countAfter([
      ['old', 3_610_000],
      ['young', 3_500_000],
    ]);
    expect(await client.zscore(counted, 'old')).toBeNull();
    expect(await client.zscore(counted, 'young')).not.toBeNull();
  });

  it('remembers no more than ten thousand turns, the newest', async () => {
    const counted = await countAfter(Array.from({ length: 10_020 }, (_, i) => [`${i}`, 1_000_000 - i]));
    expect(await client.zcard(counted)).toBe(10_000);
    expect(await client.zscore(counted, '20')).toBeNull();
    expect(await client.zscore(counted, '21')).not.toBeNull();
  });

  it('lies in the month in which the turn began, by the clock of Redis', async () => {
    const monthNow = async () => new Date(Number((await client.time())[0]) * 1000).toISOString().slice(0, 7);
    const before = await monthNow();
    const { key, turn, month } = await running();
    expect([before, await monthNow()]).toContain(month);
    await direct.finish(key, anEnding(turn, { usage: USAGE }));
    await once('the turn has been counted', key.owner, month, 1);
    expect(await client.exists(ownerUsageKey(prefix, key.owner, month))).toBe(1);
  });

  it('stays when the session is deleted, whose own sums go with it', async () => {
    const { key, turn, month } = await running();
    await direct.finish(key, anEnding(turn, { usage: USAGE }));
    await once('the turn has been counted', key.owner, month, 1);
    const { meta } = sessionKeys(prefix, key);
    expect(await client.hget(meta, 'tokens:COMMITTED:total')).toBe('3');
    expect(await client.hget(meta, 'tokens:COMMITTED:thought')).toBeNull();
    await direct.delete(key);
    const left = [ownerUsageKey(prefix, key.owner, month), countedTurnsKey(prefix, key.owner)];
    await until('the list has forgotten it', async () => (await keysUnder(client, prefix)).length === left.length);
    expect([...(await keysUnder(client, prefix))].sort()).toEqual(left.sort());
    expect(await turnsOf(key.owner, month)).toBe(1);
  });

  it('costs the list of sessions nothing: what is read of each is as before', async () => {
    const key = aKey();
    await direct.create(key, aSession());
    await commitTurn(direct, key, { usage: USAGE });
    const read: string[] = [];
    const monitor = await client.duplicate().monitor();
    monitor.on('monitor', (_time, args: string[]) => read.push(args.join(' ')));
    try {
      await direct.list(key.owner, 10);
      await until('the read was seen', () => read.some((command) => /HMGET/i.test(command)));
      expect(read.filter((command) => command.includes('tokens:COMMITTED'))).toEqual([]);
    } finally {
      monitor.disconnect();
    }
  });
});
