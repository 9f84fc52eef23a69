// A chat server on the AI SDK as its documents write it, on node:http instead of Next.js: "Chatbot Resume Streams" with
// the chats in Redis, where they have `@util/chat-store`. JavaScript, because its packages are there only on demand.

import { createServer } from 'node:http';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import {
  convertToModelMessages,
  generateId,
  generateText,
  pipeUIMessageStreamToResponse,
  streamText,
  toUIMessageStream,
  UI_MESSAGE_STREAM_HEADERS,
} from 'ai';
import { createClient } from 'redis';
import { createResumableStreamContext } from 'resumable-stream';

const [modelPort] = process.argv.slice(2);
const google = createGoogleGenerativeAI({ baseURL: `http://127.0.0.1:${modelPort}/v1beta`, apiKey: 'bench' });
const model = google('bench');
const redis = await createClient({ url: process.env.REDIS_URL }).connect();
// Once, not for each request as where functions come and go; then nothing has to wait for it either.
const streamContext = createResumableStreamContext({ waitUntil: null });

async function readChat(id) {
  const [messages, activeStreamId] = await redis.hmGet(`chat:${id}`, ['messages', 'activeStreamId']);
  return { messages: JSON.parse(messages ?? '[]'), activeStreamId: activeStreamId || null };
}

async function saveChat({ id, messages, activeStreamId }) {
  const fields = messages === undefined ? {} : { messages: JSON.stringify(messages) };
  await redis.hSet(`chat:${id}`, { ...fields, activeStreamId: activeStreamId ?? '' });
}

async function streamAnswer(request, response) {
  const { message, id } = await bodyOf(request);
  const messages = [...(await readChat(id)).messages, message];
  saveChat({ id, messages, activeStreamId: null });
  const result = streamText({ model, messages: await convertToModelMessages(messages) });
  await pipeUIMessageStreamToResponse({
    response,
    stream: toUIMessageStream({
      stream: result.stream,
      originalMessages: messages,
      generateMessageId: generateId,
      onEnd: ({ messages }) => {
        saveChat({ id, messages, activeStreamId: null });
      },
    }),
    async consumeSseStream({ stream }) {
      const streamId = generateId();
      await streamContext.createNewResumableStream(streamId, () => stream);
      saveChat({ id, activeStreamId: streamId });
    },
  });
}

async function resumeAnswer(id, response) {
  const { activeStreamId } = await readChat(id);
  const stream = activeStreamId === null ? null : await streamContext.resumeExistingStream(activeStreamId);
  if (!stream) return response.writeHead(204).end();
  response.writeHead(200, UI_MESSAGE_STREAM_HEADERS);
  for await (const text of stream) response.write(text);
  response.end();
}

async function wholeAnswer(request, response) {
  const { message, id } = await bodyOf(request);
  const messages = [...(await readChat(id)).messages, message];
  saveChat({ id, messages, activeStreamId: null });
  const { text } = await generateText({ model, messages: await convertToModelMessages(messages) });
  const answer = { id: generateId(), role: 'assistant', parts: [{ type: 'text', text }] };
  await saveChat({ id, messages: [...messages, answer], activeStreamId: null });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
}

async function bodyOf(request) {
  return JSON.parse(Buffer.concat(await request.toArray()).toString('utf8'));
}

function route(request, response) {
  const resumed = /^\/api\/chat\/([^/]+)\/stream$/.exec(request.url)?.[1];
  if (resumed !== undefined) return resumeAnswer(resumed, response);
  return request.url === '/api/chat' ? streamAnswer(request, response) : wholeAnswer(request, response);
}

const server = createServer((request, response) => {
  route(request, response).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    response.destroy();
  });
});

server.keepAliveTimeout = 120_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, () => {
  process.stdout.write(`${server.address().port}\n`);
});
