// A reference: the least that a turn of a long history costs. Every message is kept as the bytes that the model is sent; a
// turn joins them and posts them. It has no client of its own: `GET /?messages=1000&turns=20&question=…` is answered with
// how long each of these turns took, in ms. Own process.

import { createServer } from 'node:http';
import { Client } from 'undici';

const [modelPort = '', text = ''] = process.argv.slice(2);
const client = new Client(`http://127.0.0.1:${modelPort}`, { headersTimeout: 0, bodyTimeout: 0 });

const path = '/v1/projects/p/locations/global/publishers/google/models/bench:streamGenerateContent?alt=sse';
const HEAD = Buffer.from('{"contents":[');
const TAIL = Buffer.from(']}');

function contentOf(role: string, words: string): string {
  return JSON.stringify({ role, parts: [{ text: words }] });
}

function kept(messages: number): readonly Buffer[] {
  return Array.from({ length: messages }, (_, at) =>
    Buffer.from(`${contentOf(at % 2 === 0 ? 'user' : 'model', text)},`),
  );
}

async function turn(history: readonly Buffer[], question: string): Promise<number> {
  const began = performance.now();
  const body = Buffer.concat([HEAD, ...history, Buffer.from(contentOf('user', question)), TAIL]);
  const answer = await client.request({ method: 'POST', path, headers: { 'content-type': 'application/json' }, body });
  const said = await answer.body.text();
  if (!said.includes('STOP')) throw new Error(`the model answered ${answer.statusCode}`);
  return performance.now() - began;
}

const server = createServer(async (request, response) => {
  const asked = new URL(request.url ?? '/', 'http://localhost').searchParams;
  const history = kept(Number(asked.get('messages')));
  const times: number[] = [];
  while (times.length < Number(asked.get('turns'))) times.push(await turn(history, asked.get('question') ?? ''));
  response.end(JSON.stringify(times));
});

server.listen({ port: 0, host: '127.0.0.1' }, () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
