// Two replicas as processes over one Redis, behind nginx, in front of a model that says what the test tells it to.

import { inject } from 'vitest';
import { Client } from './client.ts';
import { type Nginx, startNginx } from './nginx.ts';
import { uniquePrefix } from './redis-stores.ts';
import { type SpawnedService, spawnService } from './spawned-service.ts';
import { until } from './until.ts';
import { asStream, event, said, startUpstream, type Upstream, type UpstreamCall } from './upstream.ts';

/** The model's side of one turn. */
export interface Talk {
  readonly call: UpstreamCall;
  say(text: string): void;
  end(): void;
}

export interface GatewayScene extends AsyncDisposable {
  readonly nginx: Nginx;
  readonly replicas: readonly [SpawnedService, SpawnedService];
  /** Through nginx. */
  readonly client: Client;
  readonly upstream: Upstream;
  /** Resolves when the model has been asked the question `[talk:name]`. */
  talk(name: string): Promise<Talk>;
}

export async function startGatewayScene(env: Readonly<Record<string, string>> = {}): Promise<GatewayScene> {
  const talks = new Map<string, Talk>();
  const upstream = await startUpstream((response, call) => {
    // `[silent]`: not even headers.
    if (!call.body.includes('[silent]')) asStream(response).flushHeaders();
    talks.set(nameIn(call), {
      call,
      say: (text) => response.write(event(said(text))),
      end: () => response.end(event(said('', 'STOP'))),
    });
  });
  const variables = {
    REDIS_URL: inject('redisUrl'),
    REDIS_KEY_PREFIX: uniquePrefix(),
    VERTEX_AI_EMULATOR_HOST: upstream.address,
    DEFAULT_MODEL: 'm',
    // More than what the tests give a proxy for telling the service that a client has gone.
    HEARTBEAT_MS: '1500',
    STREAM_HEADERS_DELAY_MS: '50',
    ...env,
  };
  const replicas = [await spawnService(variables), await spawnService(variables)] as const;
  const nginx = await startNginx(replicas.map(({ url }) => url));
  return {
    nginx,
    replicas,
    client: new Client(nginx.url),
    upstream,
    talk: (name) => until(`the model is asked ${name}`, () => talks.get(name)),
    async [Symbol.asyncDispose]() {
      await nginx[Symbol.asyncDispose]();
      await Promise.all(replicas.map((replica) => replica.process.end('SIGKILL')));
      await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
      await upstream.close();
    },
  };
}

/** Of the newest question. */
function nameIn({ body }: UpstreamCall): string {
  return /\[talk:(\w+)\](?![\s\S]*\[talk:)/.exec(body)?.[1] ?? '';
}
