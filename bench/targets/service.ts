// The service as it is run: a process of its own, Redis under it, everything on that is on by default.
// BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=DIR" has it write a profile when it ends.

import { RedisServer } from '../../test/support/redis-server.ts';
import { spawnService } from '../../test/support/spawned-service.ts';
import { type Call, Connection } from '../http-client.ts';
import type { Conversation, SessionCalls, StartTarget, Target } from './target.ts';

export const SERVICE = 'chat-session-proxy';

/** It has as many streams as the processes beside it, and leaves them when it is ended. */
const VARIABLES = {
  DEFAULT_MODEL: 'bench',
  LOG_LEVEL: 'info',
  UPSTREAM_CONNECTIONS_MAX: '20000',
  MAX_STREAMS: '0',
  MAX_CONNECTIONS: '0',
  DRAIN_MS: '0',
};

export const service: StartTarget = async (modelPort) => {
  // What an acknowledgement is worth is not the question here: the disk is left out of it.
  const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
  const replica = await startReplica(redis, modelPort);
  return {
    ...replica,
    async [Symbol.asyncDispose]() {
      await replica[Symbol.asyncDispose]();
      await redis.stop();
    },
  };
};

/** Its Redis is the caller's. */
export async function startReplica(redis: RedisServer, modelPort: number): Promise<Target> {
  const variables = {
    ...VARIABLES,
    NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS ?? '',
    REDIS_URL: redis.url,
    VERTEX_AI_EMULATOR_HOST: `127.0.0.1:${modelPort}`,
  };
  const spawned = await spawnService(variables);
  const port = Number(new URL(spawned.url).port);
  return {
    name: SERVICE,
    pids: [spawned.process.pid],
    storePids: [redis.pid],
    open: (count) => conversations(port, count, {}),
    openAfter: (count, texts) => conversations(port, count, { messageHistory: saidInTurns(texts) }),
    sessions: sessionCalls(port),
    [Symbol.asyncDispose]: () => spawned[Symbol.asyncDispose](),
  };
}

/** So many are made at the same time. */
const MAKERS = 8;

async function conversations(port: number, count: number, session: object): Promise<readonly Conversation[]> {
  const made: Conversation[] = [];
  let begun = 0;
  const make = async () => {
    const connection = new Connection(port);
    while (begun < count) {
      begun += 1;
      made.push(conversation(port, await createSession(connection, creation(port, session))));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: Math.min(MAKERS, count) }, make));
  return made;
}

async function createSession(connection: Connection, call: Call): Promise<string> {
  const { status, text } = await connection.call(call, { keepsText: true });
  if (status !== 201) throw new Error(`a session was answered with ${status}`);
  return (JSON.parse(text) as { id: string }).id;
}

function creation(port: number, session: object): Call {
  return { port, method: 'POST', path: '/v1/sessions', body: JSON.stringify(session) };
}

function saidInTurns(texts: readonly string[]): readonly object[] {
  return texts.map((content, at) => ({ author: at % 2 === 0 ? 'user' : 'bot', content }));
}

function conversation(port: number, sessionId: string): Conversation {
  const call = (path: string, message: string) => ({
    port,
    method: 'POST' as const,
    path: `/v1/sessions/${sessionId}/messages${path}`,
    body: JSON.stringify({ message }),
  });
  return { stream: (question) => call('/stream', question), unary: (question) => call('', question) };
}

function sessionCalls(port: number): SessionCalls {
  const path = (id: string) => `/v1/sessions/${id}`;
  return {
    create: () => creation(port, { displayName: 'bench', metadata: { tenant: 'a' } }),
    get: (id) => ({ port, method: 'GET', path: path(id) }),
    patch: (id) => ({ port, method: 'PATCH', path: path(id), body: '{"displayName":"another name"}' }),
    list: () => ({ port, method: 'GET', path: '/v1/sessions?pageSize=50' }),
    delete: (id) => ({ port, method: 'DELETE', path: path(id) }),
  };
}
