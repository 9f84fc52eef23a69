// A master, two replicas and three sentinels; a master without a replica takes no writes.

import type { RedisServer } from '../test/support/redis-server.ts';
import { type RedisSentinelSet, startSentinelSet } from '../test/support/redis-topologies.ts';
import { until } from '../test/support/until.ts';
import { type Address, ask, infoOf, isReplicated, mastersAmong, type RedisTopology } from './redis-topology.ts';

const SETTLE_MS = 60_000;
/** Longer than a failover takes; it is taken back when that is over. */
const WRITES_PAUSED_MS = 40_000;
const FAILOVER_MS_MAX = 30_000;

export async function startSentinel(): Promise<RedisTopology> {
  const set = await startSentinelSet({ replicas: 2, args: ['--min-replicas-to-write', '1'] });
  const { nodes, sentinels, masterName } = set;
  const settle = async () => {
    await until('one master with two replicas', () => isWell(set), { deadlineMs: SETTLE_MS, everyMs: 200 });
  };
  await settle();
  return {
    name: 'sentinel',
    nodes,
    sentinels,
    environment: (via) => ({
      REDIS_SENTINELS: sentinels.map(via).join(),
      REDIS_SENTINEL_MASTER: masterName,
      REDIS_NAT_MAP: nodes.map(({ address }) => `${written(address)}=${via(address)}`).join(),
    }),
    masters: () => mastersAmong(nodes),
    failOver: () => failOver(set),
    settle,
    stop: () => set.stop(),
  };
}

export function written({ host, port }: Address): string {
  return `${host}:${port}`;
}

async function isWell({ nodes, masterName, ask: askSentinel }: RedisSentinelSet): Promise<boolean> {
  const masters = await mastersAmong(nodes);
  const [master] = masters;
  if (!master || masters.length > 1) return false;
  const named = await askSentinel('get-master-addr-by-name', masterName).catch(() => '');
  return named.includes(String(master.port)) && isReplicated(master, nodes.length - 1).catch(() => false);
}

async function failOver(set: RedisSentinelSet): Promise<string> {
  const [old] = await mastersAmong(set.nodes);
  if (!old) return 'no master to leave';
  await ask(old, 'CLIENT', 'PAUSE', WRITES_PAUSED_MS, 'WRITE');
  await until('the replicas have everything', () => hasNothingAhead(old));
  const reply = await set.ask('FAILOVER', set.masterName);
  if (!reply.startsWith('OK')) {
    await ask(old, 'CLIENT', 'UNPAUSE');
    throw new Error(reply);
  }
  // Sentinel tells the old master last. Without a replica it takes no writes either, and only then they may go on.
  await until('the old master takes no writes', () => isLeft(old), { deadlineMs: FAILOVER_MS_MAX });
  await ask(old, 'CLIENT', 'UNPAUSE');
  return `failed over from ${old.port}`;
}

async function isLeft(old: RedisServer): Promise<boolean> {
  const { role, connected_slaves: replicas } = await infoOf(old, 'replication');
  return role === 'slave' || replicas === '0';
}

async function hasNothingAhead(master: RedisServer): Promise<boolean> {
  const info = await infoOf(master, 'replication');
  const replicas = Object.entries(info).filter(([name]) => /^slave\d+$/.test(name));
  const offset = Number(info.master_repl_offset);
  return replicas.length > 0 && replicas.every(([, text]) => Number(/offset=(\d+)/.exec(text)?.[1]) >= offset);
}
