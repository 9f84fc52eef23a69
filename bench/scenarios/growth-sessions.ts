// What stored sessions cost those that are used: a service and a Redis for each number of them.

import { RedisServer } from '../../test/support/redis-server.ts';
import { Connection } from '../http-client.ts';
import { carry } from '../load.ts';
import { startReplica } from '../targets/service.ts';
import { storeSessions } from '../targets/stored-sessions.ts';
import type { Target } from '../targets/target.ts';
import { type Bench, type Figures, type Scenario, type Subject, sized } from './scenario.ts';

const COUNTS = [100, 10_000, 100_000] as const;
/** What has been said in each of them. */
const SAID = Array.from({ length: 4 }, () => 'lorem ipsum dolor sit amet '.repeat(8).slice(0, 195));
const TURNS = { streams: 8, turnsEach: 150, question: '[chunks:1] [every:0] [bytes:200]' };

export const sessions: Scenario = {
  name: 'sessions',
  title: 'sessions stored, of 4 messages of 200 bytes each',
  isGrowth: true,
  roundsMax: 2,
  figures: [
    { name: 'bytes', unit: 'bytes of Redis per session' },
    { name: 'cpu', unit: 'µs CPU per turn of one event' },
    { name: 'store', unit: 'µs CPU of Redis per turn of one event' },
  ],
  subjects: async ({ starters, modelPort, share }: Bench) => {
    if (!starters.service) return [];
    return Promise.all(COUNTS.map((count) => subject(modelPort, count, sized(count, share))));
  },
};

async function subject(modelPort: number, count: number, toStore: number): Promise<Subject> {
  const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
  const replica = await startReplica(redis, modelPort);
  // The first one brings the scripts along.
  await storeSessions(redis, 1, SAID);
  const before = await memoryOf(redis);
  await storeSessions(redis, toStore, SAID);
  const bytes = ((await memoryOf(redis)) - before) / toStore;
  await seesThem(replica);
  return {
    name: `${count.toLocaleString('en')} sessions`,
    measure: async (share) => ({ bytes, ...(await costOf(replica, share)) }),
    async [Symbol.asyncDispose]() {
      await replica[Symbol.asyncDispose]();
      await redis.stop();
    },
  };
}

async function seesThem({ sessions }: Target): Promise<void> {
  const call = sessions?.list();
  if (!call) throw new Error('the service lists no sessions');
  const connection = new Connection(call.port);
  const { text } = await connection.call(call, { keepsText: true });
  connection.close();
  if (!text.includes('"messageCount":4')) throw new Error(`what was stored is not the service's: ${text}`);
}

async function costOf(replica: Target, share: number): Promise<Figures> {
  const carried = await carry(replica, { ...TURNS, turnsEach: sized(TURNS.turnsEach, share) });
  return { cpu: carried.cpuUs / carried.turns, store: carried.storeCpuUs / carried.turns };
}

async function memoryOf(redis: RedisServer): Promise<number> {
  const client = redis.client();
  try {
    return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
  } finally {
    client.disconnect();
  }
}
