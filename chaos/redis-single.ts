// One Redis that has every write in its append-only file before it answers.

import { RedisServer } from '../test/support/redis-server.ts';
import { until } from '../test/support/until.ts';
import { ask, type RedisTopology } from './redis-topology.ts';

export async function startSingle(): Promise<RedisTopology> {
  const server = await RedisServer.start();
  return {
    name: 'single',
    nodes: [server],
    sentinels: [],
    environment: (via) => ({ REDIS_URL: `redis://${via(server.address)}` }),
    masters: async () => [server],
    settle: async () => {
      await until(
        'redis answers',
        () =>
          ask(server, 'PING').then(
            () => true,
            () => false,
          ),
        { deadlineMs: 30_000 },
      );
    },
    stop: () => server.stop(),
  };
}
