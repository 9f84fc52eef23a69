// The network of one replica: a fault proxy of its own to every Redis node, sentinel, and the model, so that one replica
// can be cut off while the others are not.

import { FaultProxy, type LinkFault } from '../test/support/fault-proxy.ts';
import type { Address, RedisTopology } from './redis-topology.ts';

export interface Links {
  readonly model: FaultProxy;
  /** One per node, in the order of the topology's nodes. */
  readonly redis: readonly FaultProxy[];
  via(address: Address): string;
  heal(): void;
  stop(): Promise<void>;
}

export type LinkTarget = 'model' | 'redis';

export async function startLinks(topology: RedisTopology, modelAddress: string): Promise<Links> {
  const [host = '', port] = modelAddress.split(':');
  const model = await FaultProxy.start({ host, port: Number(port) });
  const redis = await Promise.all(topology.nodes.map(({ address }) => FaultProxy.start(address)));
  const sentinels = await Promise.all(topology.sentinels.map((address) => FaultProxy.start(address)));
  const byPort = new Map([
    ...topology.nodes.map((node, i) => [node.port, redis[i]] as const),
    ...topology.sentinels.map((sentinel, i) => [sentinel.port, sentinels[i]] as const),
  ]);
  const all = [model, ...redis, ...sentinels];
  return {
    model,
    redis,
    via: (address) => byPort.get(address.port)?.address ?? `${address.host}:${address.port}`,
    heal: () => {
      for (const proxy of all) proxy.heal();
    },
    stop: async () => void (await Promise.all(all.map((proxy) => proxy.stop()))),
  };
}

export function inflict(links: Links, target: LinkTarget, fault: LinkFault | 'reset'): void {
  for (const proxy of target === 'model' ? [links.model] : links.redis) {
    if (fault === 'reset') proxy.resetAll();
    else proxy.inflict(fault);
  }
}
