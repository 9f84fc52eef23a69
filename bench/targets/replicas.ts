// The service, several times over one Redis. Each replica is a target of its own.

import { RedisServer } from '../../test/support/redis-server.ts';
import { startReplica } from './service.ts';
import type { Target } from './target.ts';

/** As many as any scenario wants. */
const REPLICAS = 4;

export interface Replicas extends AsyncDisposable {
  /** Each with the store of all. */
  readonly replicas: readonly Target[];
}

export async function startReplicas(modelPort: number): Promise<Replicas> {
  const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(redis, modelPort)));
  return {
    replicas,
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
      await redis.stop();
    },
  };
}

/** Several of them as one: conversations are dealt out to all. */
export function together(name: string, replicas: readonly Target[]): Target {
  return {
    name,
    pids: replicas.flatMap(({ pids }) => pids),
    storePids: replicas[0]?.storePids ?? [],
    async open(count) {
      const each = Math.ceil(count / replicas.length);
      const dealt = await Promise.all(replicas.map((replica) => replica.open(each)));
      // Not in turns: a load has its neighbouring conversations on one connection.
      return dealt.flat().slice(0, count);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
