// The API server of the agent development kit, with the sessions in its memory, as it is when nothing else is said.

import { freePort } from '../../test/support/free-port.ts';
import { Connection } from '../http-client.ts';
import type { Conversation, StartTarget } from '../targets/target.ts';
import { makeConversations } from './made-conversations.ts';
import { pathOf, startPeer } from './peer-process.ts';

const PROGRAM = './node_modules/@google/adk-devtools/dist/esm/cli_entrypoint.js';
/** It is called like its file. */
const APP = 'adk-agent';
const USER = 'bench';

export const adk: StartTarget = async (modelPort) => {
  const port = await freePort();
  const args = [pathOf(PROGRAM), 'api_server', pathOf(`./${APP}.js`), '--host=127.0.0.1', `--port=${port}`];
  const variables = { GOOGLE_API_KEY: 'bench', GOOGLE_GEMINI_BASE_URL: `http://127.0.0.1:${modelPort}` };
  const peer = await startPeer(port, args, variables);
  try {
    await loadAgent(port);
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
  const creation = { port, method: 'POST' as const, path: `/apps/${APP}/users/${USER}/sessions`, body: '{}' };
  return {
    name: 'ADK api server',
    joinsEvents: true,
    pids: [peer.pid],
    storePids: [],
    open: (count) => makeConversations(count, creation, ({ id }) => conversation(port, String(id))),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
};

/** It is compiled when it is first asked for, and by each of those who ask until that is done. */
async function loadAgent(port: number): Promise<void> {
  const connection = new Connection(port);
  const { text } = await connection.call({ port, method: 'GET', path: '/list-apps' }, { keepsText: true });
  connection.close();
  if (!text.includes(APP)) throw new Error(`its agents are ${text}`);
}

function conversation(port: number, sessionId: string): Conversation {
  const call = (path: string, question: string, streaming: boolean) => ({
    port,
    method: 'POST' as const,
    path,
    body: JSON.stringify({
      appName: APP,
      userId: USER,
      sessionId,
      streaming,
      newMessage: { role: 'user', parts: [{ text: question }] },
    }),
  });
  return { stream: (question) => call('/run_sse', question, true), unary: (question) => call('/run', question, false) };
}
