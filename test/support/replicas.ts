// Two replicas of the service in this process, over one Redis and in front of one model.

import { inject } from 'vitest';
import { Client } from './client.ts';
import { uniquePrefix } from './redis-stores.ts';
import { type RunningService, startService } from './service.ts';
import { until } from './until.ts';
import { type Script, startUpstream, type Upstream } from './upstream.ts';

export interface Replicas extends AsyncDisposable {
  readonly prefix: string;
  readonly upstream: Upstream;
  readonly services: readonly [RunningService, RunningService];
  /** The replica that tests send their messages to. */
  readonly here: Client;
  readonly there: Client;
}

export interface ReplicasOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly redisUrl?: string;
}

export async function startReplicas(script: Script, options: ReplicasOptions = {}): Promise<Replicas> {
  const { env = {}, redisUrl = inject('redisUrl') } = options;
  const prefix = uniquePrefix();
  const upstream = await startUpstream(script);
  const variables = {
    REDIS_URL: redisUrl,
    REDIS_KEY_PREFIX: prefix,
    VERTEX_AI_EMULATOR_HOST: upstream.address,
    DEFAULT_MODEL: 'm',
    DRAIN_MS: '0',
    ...env,
  };
  const first = await startService(variables);
  const second = await startService(variables);
  const [here, there] = [new Client(first.url), new Client(second.url)];
  for (const client of [here, there]) {
    await until('the replica is ready', async () => (await client.get('/readyz')).status === 200);
  }
  return {
    prefix,
    upstream,
    services: [first, second],
    here,
    there,
    async [Symbol.asyncDispose]() {
      await Promise.all([first.close(), second.close()]);
      await upstream.close();
    },
  };
}
