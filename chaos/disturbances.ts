// What can be done to the processes and the network of a run. Each disturbance says what it did, holds for a while, and
// puts right what it has broken.

import type { LinkFault } from '../test/support/fault-proxy.ts';
import type { RedisServer } from '../test/support/redis-server.ts';
import { inflict, type LinkTarget } from './links.ts';
import type { Random } from './random.ts';
import { ask, onNode, type RedisTopology } from './redis-topology.ts';
import type { Replica } from './replica.ts';

export interface Scene {
  readonly replicas: readonly [Replica, ...Replica[]];
  readonly topology: RedisTopology;
  readonly leaseMs: number;
}

/** Resolves after so many milliseconds, or when the run ends. */
export type Hold = (ms: number) => Promise<void>;

export interface Disturbance {
  readonly kind: string;
  readonly weight: number;
  /** Returns what was done, in a few words. Draws everything before it waits for anything. */
  readonly act: (scene: Scene, random: Random, hold: Hold) => Promise<string>;
}

export const REPLICA_DISTURBANCES: readonly Disturbance[] = [
  {
    kind: 'replica SIGKILL',
    weight: 4,
    act: async ({ replicas }, random, hold) => {
      const [replica, ms] = [random.pick(replicas), random.whole(0, 3000)];
      await replica.kill();
      await hold(ms);
      await replica.start();
      return `replica ${replica.number}, for ${ms} ms`;
    },
  },
  {
    kind: 'replica SIGSTOP',
    weight: 4,
    act: async ({ replicas }, random, hold) => {
      const replica = random.pick(replicas);
      const ms = random.chance(0.25) ? random.whole(10_000, 30_000) : random.whole(200, 5000);
      replica.freeze();
      await hold(ms);
      replica.thaw();
      return `replica ${replica.number}, for ${ms} ms`;
    },
  },
  {
    kind: 'replica frozen beyond its lease',
    weight: 2,
    act: async ({ replicas, leaseMs }, random, hold) => {
      const [replica, ms] = [random.pick(replicas), Math.round(leaseMs * (1.05 + random.next() / 4))];
      replica.freeze();
      await hold(ms);
      replica.thaw();
      return `replica ${replica.number}, for ${ms} ms`;
    },
  },
  {
    kind: 'replica SIGTERM',
    weight: 3,
    act: async ({ replicas }, random, hold) => {
      const [replica, ms] = [random.pick(replicas), random.whole(0, 1000)];
      await replica.drain();
      await hold(ms);
      await replica.start();
      return `replica ${replica.number}`;
    },
  },
];

/** A longer pause of a master makes its replica take over without it: then Redis itself may lose what it had said. */
const MASTER_PAUSE_MS_MAX = 600;

async function isMaster(node: RedisServer, topology: RedisTopology): Promise<boolean> {
  return (await topology.masters()).includes(node);
}

async function anyMaster({ topology }: Scene, random: Random): Promise<RedisServer> {
  const draw = random.next();
  const masters = await topology.masters();
  return masters[Math.floor(draw * masters.length)] ?? topology.nodes[0];
}

export const REDIS_DISTURBANCES: readonly Disturbance[] = [
  {
    kind: 'redis SIGKILL',
    weight: 3,
    act: async ({ topology }, random, hold) => {
      const [node, ms] = [random.pick(topology.nodes), random.whole(200, 6000)];
      const role = (await isMaster(node, topology)) ? 'master' : 'replica';
      await node.kill();
      await hold(ms);
      await node.start();
      return `${role} ${node.port}, for ${ms} ms`;
    },
  },
  {
    kind: 'redis SIGSTOP',
    weight: 3,
    act: async ({ topology }, random, hold) => {
      const [node, drawn] = [random.pick(topology.nodes), random.whole(200, 7000)];
      const isShort = topology.name !== 'single' && (await isMaster(node, topology));
      const ms = isShort ? Math.min(drawn, MASTER_PAUSE_MS_MAX) : drawn;
      node.pause();
      await hold(ms);
      node.resume();
      return `${node.port}, for ${ms} ms`;
    },
  },
  {
    kind: 'redis maxmemory',
    weight: 2,
    act: async (scene, random, hold) => {
      const ms = random.whole(300, 3000);
      const node = await anyMaster(scene, random);
      await ask(node, 'CONFIG', 'SET', 'maxmemory', '1');
      await hold(ms);
      await ask(node, 'CONFIG', 'SET', 'maxmemory', '0');
      return `${node.port}, for ${ms} ms`;
    },
  },
  {
    kind: 'redis SCRIPT FLUSH',
    weight: 2,
    act: async (scene, random) => {
      const node = await anyMaster(scene, random);
      await ask(node, 'SCRIPT', 'FLUSH');
      return String(node.port);
    },
  },
  {
    kind: 'redis CLIENT KILL',
    weight: 2,
    act: async (scene, random) => {
      const node = await anyMaster(scene, random);
      await onNode(node, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
      return String(node.port);
    },
  },
  {
    kind: 'redis CLIENT KILL of subscribers',
    weight: 2,
    act: async (scene, random) => {
      const node = await anyMaster(scene, random);
      await onNode(node, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      return String(node.port);
    },
  },
  {
    kind: 'redis planned failover',
    weight: 3,
    act: async ({ topology }, random) => (await topology.failOver?.(random)) ?? 'there is nothing to fail over to',
  },
  {
    kind: 'redis slot moved',
    weight: 4,
    act: async ({ topology }, random) => (await topology.moveSlot?.(random)) ?? 'there are no slots',
  },
];

export function redisDisturbances({ failOver, moveSlot }: RedisTopology): readonly Disturbance[] {
  return REDIS_DISTURBANCES.filter(({ kind }) => {
    return (kind !== 'redis planned failover' || failOver) && (kind !== 'redis slot moved' || moveSlot);
  });
}

const LINK_FAULTS = {
  latency: (random) => ({ kind: 'latency', ms: random.whole(20, 800) }),
  cut: () => ({ kind: 'cut' }),
  blackHole: () => ({ kind: 'blackHole' }),
  slow: (random) => ({ kind: 'slow', bytesPerSecond: random.whole(500, 20_000) }),
  halfOpen: () => ({ kind: 'halfOpen' }),
  resetAfter: (random) => ({ kind: 'resetAfter', bytes: random.whole(1, 4000) }),
  reset: () => 'reset',
} as const satisfies Readonly<Record<string, (random: Random) => LinkFault | 'reset'>>;

export const NETWORK_DISTURBANCES: readonly Disturbance[] = (['redis', 'model'] as const).flatMap((target) =>
  (Object.keys(LINK_FAULTS) as (keyof typeof LINK_FAULTS)[]).map((name) => linkDisturbance(target, name)),
);

function linkDisturbance(target: LinkTarget, name: keyof typeof LINK_FAULTS): Disturbance {
  return {
    kind: `network to ${target}: ${name}`,
    weight: 1,
    act: async ({ replicas }, random, hold) => {
      // Short ones hit turns that live through them.
      const ms = random.chance(0.4) ? random.whole(50, 500) : random.whole(500, 6000);
      const [replica, fault] = [random.pick(replicas), LINK_FAULTS[name](random)];
      inflict(replica.links, target, fault);
      await hold(ms);
      replica.links.heal();
      return `of replica ${replica.number}, for ${ms} ms: ${JSON.stringify(fault)}`;
    },
  };
}
