// Three masters with a replica each; a master without its replica takes no writes.

import type { RedisServer } from '../test/support/redis-server.ts';
import { redisCli, startRedisCluster } from '../test/support/redis-topologies.ts';
import { until } from '../test/support/until.ts';
import type { Random } from './random.ts';
import { written } from './redis-sentinel.ts';
import { ask, infoOf, isReplicated, mastersAmong, onNode, type RedisTopology } from './redis-topology.ts';

const SETTLE_MS = 60_000;
const MASTERS = 3;

export async function startCluster(): Promise<RedisTopology> {
  const args = ['--min-replicas-to-write', '1', '--cluster-allow-replica-migration', 'no'];
  const cluster = await startRedisCluster({ replicasEach: 1, args });
  const { servers } = cluster;
  const [first, ...others] = servers;
  if (!first) throw new Error('a cluster has nodes');
  const settle = async () => {
    await until('every slot has a master with its replica', () => isWell(servers), {
      deadlineMs: SETTLE_MS,
      everyMs: 200,
    });
  };
  await settle();
  return {
    name: 'cluster',
    nodes: [first, ...others],
    sentinels: [],
    environment: (via) => ({
      REDIS_CLUSTER_NODES: servers.map(({ address }) => via(address)).join(),
      REDIS_NAT_MAP: servers.map(({ address }) => `${written(address)}=${via(address)}`).join(),
    }),
    masters: () => mastersAmong(servers),
    failOver: (random) => failOver(servers, random),
    moveSlot: (random) => moveSlot(servers, random),
    settle: async () => {
      await settle();
      // A move that was interrupted leaves its slot open on both sides.
      await redisCli(first.port, '--cluster', 'fix', written(first.address)).catch(() => undefined);
      await settle();
    },
    stop: () => cluster.stop(),
  };
}

async function isWell(nodes: readonly RedisServer[]): Promise<boolean> {
  try {
    const masters = await mastersAmong(nodes);
    if (masters.length !== MASTERS) return false;
    const states = await Promise.all(nodes.map((node) => ask(node, 'CLUSTER', 'INFO').then(String)));
    const good = await Promise.all(masters.map((master) => isReplicated(master, 1)));
    return good.every(Boolean) && states.every((info) => info.includes('cluster_state:ok'));
  } catch {
    return false;
  }
}

/** Redis pauses the writes of the old master itself until the new one has everything. */
async function failOver(nodes: readonly RedisServer[], random: Random): Promise<string> {
  const masters = await mastersAmong(nodes);
  const replicas = nodes.filter((node) => !masters.includes(node));
  const [first, ...others] = replicas;
  if (!first) return 'no replica to take over';
  const chosen = random.pick([first, ...others]);
  await ask(chosen, 'CLUSTER', 'FAILOVER');
  await until('it is the master', async () => (await infoOf(chosen, 'replication')).role === 'master');
  return `${chosen.port} took over`;
}

const KEYS_PER_STEP = 2;
const MIGRATE_MS = 1000;
const STEPS_MAX = 500;

async function moveSlot(nodes: readonly RedisServer[], random: Random): Promise<string> {
  const [first, ...others] = await mastersAmong(nodes);
  if (!first || others.length === 0) return 'no two masters';
  const from = random.pick([first, ...others]);
  const [next = first, ...rest] = [first, ...others].filter((master) => master !== from);
  const to = random.pick([next, ...rest]);
  const slot = await busySlot(from);
  if (slot === undefined) return `no keys on ${from.port}`;
  const [fromId, toId] = await Promise.all([from, to].map((node) => ask(node, 'CLUSTER', 'MYID').then(String)));
  await ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId ?? '');
  await ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId ?? '');
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const keys = (await ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, KEYS_PER_STEP)) as string[];
    if (keys.length === 0) break;
    await ask(from, 'MIGRATE', '127.0.0.1', to.port, '', 0, MIGRATE_MS, 'KEYS', ...keys);
  }
  for (const node of [to, from, ...nodes]) {
    await ask(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId ?? '').catch(() => undefined);
  }
  return `slot ${slot} from ${from.port} to ${to.port}`;
}

async function busySlot(node: RedisServer): Promise<number | undefined> {
  return onNode(node, async (client) => {
    const key = await client.randomkey();
    return key === null ? undefined : ((await client.cluster('KEYSLOT', key)) as number);
  });
}
