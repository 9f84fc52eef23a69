// What is read out of a stream of any shape that the contract allows, and of some that it does not.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as delay, setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ChatModel, type ChatProxyError, type ChatSession } from '../../src/client/client.ts';
import { errorOf, readAll, textOf } from './chat.ts';

interface Scene extends AsyncDisposable {
  readonly chat: ChatSession;
  /** How many connections there were. */
  readonly connections: number;
}

/** A service that answers every stream with this. */
async function startStreams(write: (response: ServerResponse) => unknown): Promise<Scene> {
  let connections = 0;
  const server = createServer((request, response) => {
    request.resume();
    response.on('error', () => undefined);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    void write(response);
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    chat: ChatModel.fromPretrained('m', { baseUrl: `http://127.0.0.1:${port}`, recoverMs: 2000 }).openChat('s'),
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const FACTS = { isBlocked: false, errors: [], safetyAttributes: {}, citations: [] };
const GROUNDING = { citations: [], searchQueries: [] };
const CANDIDATE = { index: 0, finishReason: 'STOP', ...FACTS, groundingMetadata: GROUNDING };
const TURN = {
  sessionId: 's',
  turnId: 't',
  state: 'COMMITTED',
  ...FACTS,
  groundingMetadata: GROUNDING,
  candidates: [CANDIDATE],
  chosenCandidate: 0,
};

const event = (type: string, value: object) => `id: 1-1\nevent: ${type}\ndata: ${JSON.stringify(value)}\n\n`;
const delta = (text: string, more: object = {}) => event('candidate.delta', { index: 0, text, ...more });
const END = event('candidate.finished', CANDIDATE) + event('turn.committed', TURN);

test('heartbeats, unknown events, unknown fields and events without a name are passed over', async () => {
  await using scene = await startStreams((response) => {
    response.write(`: open\n\nretry: 100\n\n${event('turn.queued', { position: 1 })}`);
    response.write(`: heartbeat\n\n${event('turn.started', TURN)}${event('turn.renamed', { text: 'no' })}`);
    response.write(`data: {"text":"no"}\n\nwhat: ever\nevent: unknown\ndata: no JSON\n\n${delta('yes')}`);
    response.end(END);
  });
  expect(textOf(await readAll(scene.chat.sendMessageStreaming('Hi')))).toBe('yes');
});

test('what this version does not know of an event or a turn is kept', async () => {
  await using scene = await startStreams((response) => {
    response.write(delta('yes', { mood: 'good' }));
    response.end(
      event('candidate.finished', { ...CANDIDATE, tone: 1 }) + event('turn.committed', { ...TURN, cost: 2 }),
    );
  });
  const stream = scene.chat.sendMessageStreaming('Hi');
  expect(await readAll(stream)).toMatchObject([{ text: 'yes', mood: 'good' }, { tone: 1 }]);
  expect(await stream.turn).toMatchObject({ cost: 2, text: 'yes' });
});

test('text that comes with parts is not said twice', async () => {
  const parts = [{ text: 'hm', thought: true }, { text: 'yes' }, { text: '!', thoughtSignature: 'c2ln' }];
  await using scene = await startStreams((response) => response.end(delta('yes!', { parts }) + END));
  const stream = scene.chat.sendMessageStreaming('Hi');
  expect((await readAll(stream))[0]).toMatchObject({ text: 'yes!', parts });
  expect((await stream.turn).candidates[0]).toMatchObject({ text: 'yes!', parts });
});

test('a stream says how long to wait before coming back', async () => {
  const times: number[] = [];
  await using scene = await startStreams((response) => {
    times.push(performance.now());
    response.end(times.length === 1 ? `retry: 400\n\n${event('turn.started', TURN)}` : delta('yes') + END);
  });
  expect(textOf(await readAll(scene.chat.sendMessageStreaming('Hi')))).toBe('yes');
  const [cut = 0, again = 0] = times;
  expect(again - cut).toBeGreaterThan(380);
});

test('neither the size of the pieces on the wire nor the line ends matter', async () => {
  const bytes = Buffer.from((delta('Grüße, 🌍') + END).replaceAll('\n', '\r\n'));
  await using scene = await startStreams(async (response) => {
    response.socket?.setNoDelay(true);
    for (const byte of bytes) {
      response.write(Buffer.of(byte));
      // So that each is read by itself.
      await turnOfTheLoop();
    }
    response.end();
  });
  expect(textOf(await readAll(scene.chat.sendMessageStreaming('Hi')))).toBe('Grüße, 🌍');
});

test('the connection of a stream is used again, also when its end comes a little later', async () => {
  await using scene = await startStreams(async (response) => {
    response.write(END);
    await delay(20);
    response.end();
  });
  for (let round = 0; round < 6; round += 1) await readAll(scene.chat.sendMessageStreaming('Hi'));
  // Node opens a second one while it frees the first.
  expect(scene.connections).toBeLessThanOrEqual(2);
});

test('a stream that does not end after its last event is not waited for', async () => {
  await using scene = await startStreams((response) => response.write(END));
  const stream = scene.chat.sendMessageStreaming('Hi');
  await readAll(stream);
  expect(await stream.turn).toMatchObject({ state: 'COMMITTED' });
});

test('an event that is no JSON is an error, and ends the connection', async () => {
  const gone = Promise.withResolvers<void>();
  await using scene = await startStreams((response) => {
    response.once('close', gone.resolve);
    response.write('event: candidate.delta\ndata: {"index":0,\n\n');
  });
  const error = await errorOf<ChatProxyError>(readAll(scene.chat.sendMessageStreaming('Hi', { turnId: 'it' })));
  expect(error).toMatchObject({ name: 'ChatProxyError', code: undefined, turnId: 'it' });
  expect(error.message).toContain('candidate.delta');
  await gone.promise;
});

test('an event without end is an error, and not kept', { timeout: 60_000 }, async () => {
  await using scene = await startStreams((response) => {
    response.write('event: candidate.delta\ndata: ');
    const filler = Buffer.alloc(1024 ** 2, 'x');
    const fill = () => {
      while (!response.destroyed && response.write(filler));
    };
    response.on('drain', fill);
    fill();
  });
  const error = await errorOf<ChatProxyError>(readAll(scene.chat.sendMessageStreaming('Hi')));
  expect(error.message).toContain(`larger than ${64 * 1024 ** 2} characters`);
});
