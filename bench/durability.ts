// What an acknowledged turn is worth: writers commit turns as fast as they are acknowledged, the Redis under them is killed
// or failed over, and what was acknowledged is looked for. npm run durability; the table of docs/turns.md quotes it.
//
// A kill is the end of a process, not of a machine: what the kernel was given survives it.

import { setTimeout as delay } from 'node:timers/promises';
import { randomFrom } from '../chaos/random.ts';
import { startSentinel } from '../chaos/redis-sentinel.ts';
import type { RedisSessionStore } from '../src/adapters/redis/redis-session-store.ts';
import type { SessionKey } from '../src/chat/session.ts';
import { aKey, anEnding, aSession, aTurn, historyOf } from '../test/store/builders.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { configOf, openRedisStore, type RedisTarget, uniquePrefix } from '../test/support/redis-stores.ts';
import { startSentinelSet } from '../test/support/redis-topologies.ts';
import { until } from '../test/support/until.ts';

const WRITERS = 8;
const WRITE_MS = 1500;
const AWAY_MS = 300;

interface Found {
  readonly acknowledged: number;
  readonly lost: number;
  /** Histories with half of a turn, or with turns in another order than they were acknowledged in. */
  readonly torn: number;
}

/** A session, and the turns that were acknowledged, in order. */
interface Written {
  readonly key: SessionKey;
  readonly turnIds: string[];
}

async function write(store: RedisSessionStore, { key, turnIds }: Written, stop: AbortSignal): Promise<void> {
  try {
    while (!stop.aborted) {
      const turn = aTurn();
      const begun = await store.begin(key, turn);
      if (begun.outcome !== 'begun') return;
      const { turnId } = turn;
      const { outcome } = await store.finish(key, anEnding({ ...begun, turnId, history: [] }));
      if (outcome !== 'finished') return;
      turnIds.push(turnId);
    }
  } catch {
    // Redis is away: what was not acknowledged does not count.
  }
}

async function lookFor(store: RedisSessionStore, { key, turnIds }: Written): Promise<Found> {
  const history = await historyOf(store, key).catch(() => []);
  const kept = new Set(history);
  const lost = turnIds.filter((id) => !kept.has(`answer of ${id}`)).length;
  const pairs = turnIds.flatMap((id) => [`question of ${id}`, `answer of ${id}`]);
  const isPrefix = pairs.slice(0, history.length).every((text, index) => history[index] === text);
  // One turn more can have been taken than was acknowledged.
  const isWhole = history.length % 2 === 0 && history.length <= pairs.length + 2;
  return { acknowledged: turnIds.length, lost, torn: isPrefix && isWhole ? 0 : 1 };
}

/** Writes, lets `disturb` do its worst meanwhile, waits for Redis to take writes again, and looks. */
async function measure(target: RedisTarget, disturb: () => Promise<void>): Promise<Found> {
  const store = await openRedisStore({ ...configOf('redis://127.0.0.1', uniquePrefix(), 2000), target });
  try {
    const written = Array.from({ length: WRITERS }, () => ({ key: aKey(), turnIds: [] }));
    for (const { key } of written) await store.create(key, aSession());
    const stop = new AbortController();
    const writers = written.map((own) => write(store, own, stop.signal));
    await delay(WRITE_MS);
    await disturb();
    stop.abort();
    await Promise.all(writers);
    const canWrite = () => store.create(aKey(), aSession()).then(Boolean, () => false);
    await until('Redis takes writes again', canWrite, { deadlineMs: 60_000, everyMs: 200 });
    const found = await Promise.all(written.map((own) => lookFor(store, own)));
    const sum = (field: keyof Found) => found.reduce((total, one) => total + one[field], 0);
    return { acknowledged: sum('acknowledged'), lost: sum('lost'), torn: sum('torn') };
  } finally {
    await store.close();
  }
}

async function killOne(args: readonly string[]): Promise<Found> {
  const redis = await RedisServer.start({ args });
  try {
    return await measure({ kind: 'single', address: redis.address, db: 0 }, async () => {
      await redis.kill();
      await redis.start();
    });
  } finally {
    await redis.stop();
  }
}

/** `awayMs`: how long its replica has been away when the master is killed. It comes back, and is made the master. */
async function killMaster(args: readonly string[], awayMs: number): Promise<Found> {
  const { sentinels, masterName, nodes, stop, ask } = await startSentinelSet({ replicas: 1, args });
  const [master, replica = master] = nodes;
  try {
    await until('the replica is there', async () => (await infoOf(replica)).includes('master_link_status:up'));
    return await measure({ kind: 'sentinel', sentinels, master: masterName }, async () => {
      if (awayMs > 0) await replica.kill();
      await delay(awayMs);
      await master.kill();
      if (awayMs > 0) await replica.start();
      const named = async () => (await ask('get-master-addr-by-name', masterName)).includes(String(replica.port));
      await until('the replica is the master', named, { deadlineMs: 60_000, everyMs: 200 });
      // A master without a replica takes no writes where that is asked for.
      await master.start();
    });
  } finally {
    await stop();
  }
}

async function planned(): Promise<Found> {
  const set = await startSentinel();
  try {
    const sentinels = set.sentinels;
    return await measure({ kind: 'sentinel', sentinels, master: 'csp-test' }, async () => {
      await set.failOver?.(randomFrom('planned'));
    });
  } finally {
    await set.stop();
  }
}

async function infoOf(server: RedisServer): Promise<string> {
  const client = server.client();
  try {
    return await client.info('replication');
  } finally {
    client.disconnect();
  }
}

const NO_AOF = ['--appendonly', 'no'];
const EVERYSEC = ['--appendfsync', 'everysec'];
const ONE_REPLICA = ['--min-replicas-to-write', '1'];

const ROWS: readonly [string, () => Promise<Found>][] = [
  ['one Redis, no AOF, killed', () => killOne(NO_AOF)],
  ['one Redis, AOF everysec, killed', () => killOne(EVERYSEC)],
  ['one Redis, AOF always, killed', () => killOne([])],
  ['Sentinel, AOF always, master killed', () => killMaster([], 0)],
  ['the same, its replica away for 300 ms before', () => killMaster([], AWAY_MS)],
  ['min-replicas-to-write 1, master killed', () => killMaster(ONE_REPLICA, 0)],
  ['the same, its replica away for 300 ms before', () => killMaster(ONE_REPLICA, AWAY_MS)],
  ['min-replicas-to-write 1, planned, writes paused', planned],
];

process.stdout.write(`${'what happens'.padEnd(50)}acknowledged  lost  torn histories\n`);
for (const [name, run] of ROWS) {
  const { acknowledged, lost, torn } = await run();
  const figures = `${String(acknowledged).padStart(12)}${String(lost).padStart(6)}${String(torn).padStart(16)}`;
  process.stdout.write(`${name.padEnd(50)}${figures}\n`);
}
