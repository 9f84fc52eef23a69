// The service as it is run: a process of its own, Redis under it, everything on that is on by default.
// BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=DIR" has it write a profile when it ends.

import { RedisServer } from '../../test/support/redis-server.ts';
import { spawnService } from '../../test/support/spawned-service.ts';
import { Connection } from '../http-client.ts';
import type { Conversation, StartTarget } from './target.ts';

/** It has as many streams as the processes beside it. */
const VARIABLES = {
  DEFAULT_MODEL: 'bench',
  LOG_LEVEL: 'info',
  UPSTREAM_CONNECTIONS_MAX: '20000',
  MAX_STREAMS: '0',
  MAX_CONNECTIONS: '0',
};

export const service: StartTarget = async (modelPort) => {
  // What an acknowledgement is worth is not the question here: the disk is left out of it.
  const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
  const { BENCH_NODE_OPTIONS = '' } = process.env;
  const variables = { ...VARIABLES, NODE_OPTIONS: BENCH_NODE_OPTIONS, REDIS_URL: redis.url, VERTEX_AI_EMULATOR_HOST: `127.0.0.1:${modelPort}` };
  const spawned = await spawnService(variables);
  const port = Number(new URL(spawned.url).port);
  return {
    name: 'chat-session-proxy',
    pids: [spawned.process.pid],
    storePids: [redis.pid],
    open: (count) => conversations(port, count),
    async [Symbol.asyncDispose]() {
      await spawned[Symbol.asyncDispose]();
      await redis.stop();
    },
  };
};

/** So many are made at the same time. */
const MAKERS = 8;

async function conversations(port: number, count: number): Promise<readonly Conversation[]> {
  const made: Conversation[] = [];
  const make = async () => {
    const connection = new Connection(port);
    while (made.length < count) made.push(conversation(port, await createSession(connection, port)));
    connection.close();
  };
  await Promise.all(Array.from({ length: MAKERS }, make));
  return made;
}

async function createSession(connection: Connection, port: number): Promise<string> {
  const call = { port, method: 'POST', path: '/v1/sessions', body: '{}' } as const;
  const { status, text } = await connection.call(call, { keepsText: true });
  if (status !== 201) throw new Error(`a session was answered with ${status}`);
  return (JSON.parse(text) as { id: string }).id;
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
