// A chat server on the AI SDK, with Redis under it for its chats and its resumable streams.

import { randomUUID } from 'node:crypto';
import { RedisServer } from '../../test/support/redis-server.ts';
import { startScript } from '../processes.ts';
import type { Conversation, StartTarget } from '../targets/target.ts';

export const aiSdk: StartTarget = async (modelPort) => {
  // As under the service: the disk is left out of it.
  const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
  try {
    const variables = { NODE_ENV: 'production', REDIS_URL: redis.url };
    const { pid, port, end } = await startScript('./peers/ai-sdk-server.js', [modelPort], variables);
    return {
      name: 'AI SDK',
      joinsEvents: true,
      pids: [pid],
      storePids: [redis.pid],
      open: async (count) => Array.from({ length: count }, () => conversation(port)),
      async [Symbol.asyncDispose]() {
        await end();
        await redis.stop();
      },
    };
  } catch (error) {
    await redis.stop();
    throw error;
  }
};

/** The body is what the documents let `useChat` send: the chat, and the newest message. */
function conversation(port: number): Conversation {
  const id = randomUUID();
  const call = (path: string, question: string) => ({
    port,
    method: 'POST' as const,
    path,
    body: JSON.stringify({
      id,
      message: { id: randomUUID(), role: 'user', parts: [{ type: 'text', text: question }] },
    }),
  });
  return { stream: (question) => call('/api/chat', question), unary: (question) => call('/api/chat/unary', question) };
}
