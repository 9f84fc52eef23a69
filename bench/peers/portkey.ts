// The gateway of Portkey, in front of the model as a provider `google` at another host. It keeps nothing: each call holds
// all that the model is to read.

import { freePort } from '../../test/support/free-port.ts';
import type { Conversation, StartTarget } from '../targets/target.ts';
import { pathOf, startPeer } from './peer-process.ts';

const PROGRAM = './node_modules/@portkey-ai/gateway/build/start-server.js';

export const portkey: StartTarget = async (modelPort) => {
  const port = await freePort();
  const args = ['--import', pathOf('./loopback.js'), pathOf(PROGRAM), `--port=${port}`, '--headless'];
  const peer = await startPeer(port, args);
  return {
    name: 'Portkey gateway',
    joinsEvents: true,
    pids: [peer.pid],
    storePids: [],
    open: async (count) => Array.from({ length: count }, () => conversation(port, modelPort)),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
};

function conversation(port: number, modelPort: number): Conversation {
  const call = (question: string, stream: boolean) => ({
    port,
    method: 'POST' as const,
    path: '/v1/chat/completions',
    headers: {
      authorization: 'Bearer bench',
      'x-portkey-provider': 'google',
      'x-portkey-custom-host': `http://127.0.0.1:${modelPort}`,
    },
    body: JSON.stringify({ model: 'bench', stream, messages: [{ role: 'user', content: question }] }),
  });
  return { stream: (question) => call(question, true), unary: (question) => call(question, false) };
}
