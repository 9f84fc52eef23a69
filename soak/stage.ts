// What a soak runs on: a Redis, a model and some replicas, each a process of its own, and eyes on all of them.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { Client } from '../test/support/client.ts';
import { startGuarded } from '../test/support/guarded-process.ts';
import { INSPECTED, inspectorIn } from '../test/support/live-memory.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { type Resources, resourcesOf } from '../test/support/resources.ts';
import { type SpawnedService, spawnService } from '../test/support/spawned-service.ts';
import { until } from '../test/support/until.ts';

const MODEL = fileURLToPath(new URL('../bench/upstream.ts', import.meta.url));

/** Connections to the model that idle are closed after some seconds; whatever changes later than that is a leak. */
const SETTLED_MS = 5000;
const SETTLE_MS_MAX = 60_000;

export interface Replica {
  readonly client: Client;
  readonly service: SpawnedService;
  /** Where its inspector listens. */
  readonly inspectorUrl: string;
}

export interface Stage extends AsyncDisposable {
  readonly replicas: readonly [Replica, ...Replica[]];
  readonly redis: Redis;
  /** What its log has complained of. */
  readonly alarms: readonly string[];
}

export async function startStage(count: number, env: Readonly<Record<string, string>>): Promise<Stage> {
  // What is acknowledged is not the question here: the disk is left out of it.
  const server = await RedisServer.start({ args: ['--appendonly', 'no'] });
  const folder = await mkdtemp(join(tmpdir(), 'csp-soak-'));
  const model = await startGuarded(process.execPath, [MODEL], folder);
  const port = await until('the model listens', () => Number.parseInt(model.output, 10));
  const alarms: string[] = [];
  const variables = {
    REDIS_URL: server.url,
    VERTEX_AI_EMULATOR_HOST: `127.0.0.1:${port}`,
    DEFAULT_MODEL: 'soak',
    LOG_LEVEL: 'warn',
    // Asked for what is alive after the garbage has gone.
    NODE_OPTIONS: INSPECTED,
    ...env,
  };
  const onOutput = (text: string) => {
    alarms.push(...text.split('\n').filter((line) => /"level":(40|50|60)|MaxListeners|heap out of memory/.test(line)));
  };
  const replica = async () => {
    const service = await spawnService(variables, { onOutput });
    return { service, client: new Client(service.url), inspectorUrl: inspectorIn(service.process.output) ?? '' };
  };
  const replicas: [Replica, ...Replica[]] = [await replica()];
  while (replicas.length < count) replicas.push(await replica());
  // Until it was ready it had a reason.
  alarms.length = 0;
  const redis = server.client();
  return {
    replicas,
    redis,
    alarms,
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await Promise.all(replicas.map(({ service }) => service[Symbol.asyncDispose]()));
      await model.end();
      await rm(folder, { recursive: true, force: true });
      await server.stop();
    },
  };
}

export function usageOf({ service }: Replica): Resources {
  const resources = resourcesOf(service.process.pid);
  if (!resources) throw new Error('The soak looks into /proc: it needs Linux, and a service that runs.');
  return resources;
}

/** What a replica uses once nothing has been opened or closed for a while. */
export async function settled(replica: Replica): Promise<Resources> {
  let last = usageOf(replica);
  let since = performance.now();
  await until(
    'the number of open files stays the same',
    () => {
      const now = usageOf(replica);
      if (now.fds !== last.fds) since = performance.now();
      last = now;
      return performance.now() - since > SETTLED_MS;
    },
    { deadlineMs: SETTLE_MS_MAX, everyMs: 100 },
  );
  return last;
}

/** Sessions that are watched by some replica. */
export async function watchesLeft({ redis }: Stage): Promise<readonly string[]> {
  return (await redis.call('PUBSUB', 'SHARDCHANNELS', '*:meta')) as string[];
}

export async function redisClients({ redis }: Stage): Promise<number> {
  return String(await redis.call('CLIENT', 'LIST'))
    .trim()
    .split('\n').length;
}

/** At most so many at once. */
export async function inTurns<T, R>(items: readonly T[], atOnce: number, task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await task(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
