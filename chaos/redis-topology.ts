// The Redis of a run, as one thing whatever its topology: nodes that can be disturbed, and what an operator does to it.

import type { Redis } from 'ioredis';
import type { RedisServer } from '../test/support/redis-server.ts';
import type { KeyLeft } from './evidence.ts';
import type { Random } from './random.ts';

export const TOPOLOGIES = ['single', 'sentinel', 'cluster'] as const;
export type TopologyName = (typeof TOPOLOGIES)[number];

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RedisTopology {
  readonly name: TopologyName;
  readonly nodes: readonly [RedisServer, ...RedisServer[]];
  readonly sentinels: readonly Address[];
  /** What a replica needs to know, when it reaches each address through `via`. */
  environment(via: (address: Address) => string): Readonly<Record<string, string>>;
  /** The nodes that take writes now. */
  masters(): Promise<readonly RedisServer[]>;
  /** With writes paused, so that nothing that was acknowledged is lost. Returns what was done. */
  failOver?(random: Random): Promise<string>;
  /** Moves a slot with keys in it to another master, key by key. Returns what was done. */
  moveSlot?(random: Random): Promise<string>;
  /** Ends what a disturbance has left half done; resolves when everything is well. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const COMMAND_MS = 3000;

/** A connection of its own to one node, for as long as `task` takes. Rejects when the node does not answer. */
export async function onNode<T>(node: RedisServer, task: (client: Redis) => Promise<T>): Promise<T> {
  const client = node.client();
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`redis ${node.port} does not answer`)), COMMAND_MS);
  try {
    return await Promise.race([task(client), timeout.promise]);
  } finally {
    clearTimeout(timer);
    client.disconnect();
  }
}

export function ask(node: RedisServer, command: string, ...args: readonly (string | number)[]): Promise<unknown> {
  return onNode(node, (client) => client.call(command, ...args));
}

export async function infoOf(node: RedisServer, section: string): Promise<Readonly<Record<string, string>>> {
  const text = String(await ask(node, 'INFO', section));
  return Object.fromEntries(text.split('\r\n').flatMap((line) => (line.includes(':') ? [splitAt(line, ':')] : [])));
}

function splitAt(line: string, mark: string): [string, string] {
  const at = line.indexOf(mark);
  return [line.slice(0, at), line.slice(at + 1)];
}

/** Nodes that say they are masters; one that does not answer is none. */
export async function mastersAmong(nodes: readonly RedisServer[]): Promise<readonly RedisServer[]> {
  const roles = await Promise.all(
    nodes.map((node) =>
      infoOf(node, 'replication').then(
        ({ role }) => role,
        () => undefined,
      ),
    ),
  );
  return nodes.filter((_, index) => roles[index] === 'master');
}

/** A master whose replicas have everything, and are there. */
export async function isReplicated(master: RedisServer, replicas: number): Promise<boolean> {
  const info = await infoOf(master, 'replication');
  return Number(info.connected_slaves) >= replicas && Number(info.min_slaves_good_slaves ?? replicas) >= replicas;
}

export async function keysLeft(topology: RedisTopology, prefix: string): Promise<readonly KeyLeft[]> {
  const masters = await topology.masters();
  const keys = await Promise.all(masters.map((master) => onNode(master, (client) => keysOn(client, prefix))));
  return keys.flat();
}

/** What is subscribed to on any node, but for the replicas' own channels. */
export async function channelsLeft({ nodes }: RedisTopology, prefix: string): Promise<readonly string[]> {
  const channels = await Promise.all(nodes.map((node) => ask(node, 'PUBSUB', 'SHARDCHANNELS', `${prefix}:{*`)));
  return (channels as string[][]).flat();
}

async function keysOn(client: Redis, prefix: string): Promise<KeyLeft[]> {
  const found: KeyLeft[] = [];
  for await (const names of client.scanStream({ match: `${prefix}:*`, count: 500 })) {
    for (const name of names as string[]) {
      const ttlMs = await client.pttl(name);
      // -2: it has ended since it was named.
      if (ttlMs !== -2) found.push({ name, ttlMs });
    }
  }
  return found;
}
