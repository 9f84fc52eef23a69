// What Redis itself takes for next to nothing, on this machine: by that it can be told what it takes under the service.

import type { Redis } from 'ioredis';
import { RedisServer } from '../../test/support/redis-server.ts';
import { cpuOf } from '../processes.ts';
import { type Bench, type Figures, type Reference, type Scenario, type Subject, sized } from './scenario.ts';

const BARE = 'bare Redis client';
const VALUE = 'x'.repeat(250);
const TOGETHER = 64;
const COMMANDS = { ping: 25_000, oneAtATime: 25_000, together: 300_000 };

export const store: Scenario = {
  name: 'store',
  title: 'Redis under a bare ioredis client',
  figures: [
    { name: 'ping', unit: 'µs CPU of Redis per PING, one at a time' },
    { name: 'oneAtATime', unit: 'µs CPU of Redis per SET of 250 bytes, one at a time' },
    { name: 'together', unit: `µs CPU of Redis per SET of 250 bytes, ${TOGETHER} at a time` },
  ],
  subjects,
};

export const oneAtATime: Reference = { scenario: store.name, target: BARE, figure: 'oneAtATime', words: 'a bare SET' };

async function subjects({ starters }: Bench): Promise<readonly Subject[]> {
  if (!starters.service) return [];
  const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
  const client = redis.client();
  return [
    {
      name: BARE,
      measure: (share) => measure(redis, client, share),
      async [Symbol.asyncDispose]() {
        client.disconnect();
        await redis.stop();
      },
    },
  ];
}

async function measure(redis: RedisServer, client: Redis, share: number): Promise<Figures> {
  const perCommand = async (commands: number, send: (commands: number) => Promise<unknown>, step: number) => {
    const before = cpuOf([redis.pid]);
    let sent = 0;
    for (; sent < commands; sent += step) await send(step);
    return (cpuOf([redis.pid]) - before) / sent;
  };
  const set = (count: number) => {
    const batch = client.pipeline();
    for (let at = 0; at < count; at += 1) batch.set(`bench:${at}`, VALUE);
    return batch.exec();
  };
  return {
    ping: await perCommand(sized(COMMANDS.ping, share), () => client.ping(), 1),
    oneAtATime: await perCommand(sized(COMMANDS.oneAtATime, share), set, 1),
    together: await perCommand(sized(COMMANDS.together, share), set, TOGETHER),
  };
}
