// A chat server on LangGraph, with threads and their states in its memory.

import { Connection } from '../http-client.ts';
import { startScript } from '../processes.ts';
import type { Conversation, StartTarget } from '../targets/target.ts';
import { makeConversations } from './made-conversations.ts';

/** No traces are sent anywhere, whatever the environment says. */
const VARIABLES = { NODE_ENV: 'production', LANGSMITH_TRACING: 'false', LANGCHAIN_TRACING_V2: 'false' };

export const langGraph: StartTarget = async (modelPort) => {
  const { pid, port, end } = await startScript('./peers/langgraph-server.js', [modelPort], VARIABLES);
  const creation = { port, method: 'POST' as const, path: '/threads', body: '{}' };
  const threads: string[] = [];
  return {
    name: 'LangGraph',
    joinsEvents: true,
    pids: [pid],
    storePids: [],
    async open(count) {
      // It keeps each state that a thread ever had: those of the round before would fill the memory.
      await remove(port, threads.splice(0));
      return makeConversations(count, creation, ({ thread_id }) => {
        threads.push(String(thread_id));
        return conversation(port, String(thread_id));
      });
    },
    [Symbol.asyncDispose]: end,
  };
};

async function remove(port: number, threads: readonly string[]): Promise<void> {
  const connection = new Connection(port);
  for (const thread of threads) await connection.call({ port, method: 'DELETE', path: `/threads/${thread}` });
  connection.close();
}

/** What is not streamed piece by piece comes as the whole state: the nearest that it has to an answer in one piece. */
function conversation(port: number, threadId: string): Conversation {
  const call = (question: string, mode: 'messages-tuple' | 'values') => ({
    port,
    method: 'POST' as const,
    path: `/threads/${threadId}/runs/stream`,
    body: JSON.stringify({
      assistant_id: 'bench',
      stream_mode: [mode],
      input: { messages: [{ role: 'user', content: question }] },
    }),
  });
  return { stream: (question) => call(question, 'messages-tuple'), unary: (question) => call(question, 'values') };
}
