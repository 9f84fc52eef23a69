// The client in front of several replicas, which come and go.

import { expect, inject, test } from 'vitest';
import {
  ChatModel,
  type ChatProxyError,
  type TextGenerationResponse,
  type TurnStream,
} from '../../src/client/client.ts';
import { type Fate, type HttpProxy, type SeenRequest, startHttpProxy } from '../support/http-proxy.ts';
import { startReplicas } from '../support/replicas.ts';
import { spawnService } from '../support/spawned-service.ts';
import { until } from '../support/until.ts';
import { asStream, event, type Script, said } from '../support/upstream.ts';
import { errorOf, historyOf, readAll, textOf } from './chat.ts';

const WORDS = Array.from({ length: 9 }, (_, index) => `word ${index}, `);
const DELTA = /event: candidate\.delta\ndata: .*\n\n/;
const EVENTS = /\/events$/;

/** The model says all words but the last, and that one when it may. */
function heldBack() {
  const gate = Promise.withResolvers<void>();
  const script: Script = async (response) => {
    const [last = '', ...before] = WORDS.toReversed();
    asStream(response).write(
      before
        .reverse()
        .map((word) => event(said(word)))
        .join(''),
    );
    await gate.promise;
    response.end(event(said(last, 'STOP')));
  };
  return { script, goOn: gate.resolve };
}

async function wordsOf(stream: TurnStream, count: number): Promise<string[]> {
  const words: string[] = [];
  while (words.length < count) words.push((await stream.next()).value?.text ?? '(nothing)');
  return words;
}

const chatOver = (proxy: HttpProxy) => ChatModel.fromPretrained('m', { baseUrl: proxy.url }).startChat();
const ENV = { HEARTBEAT_MS: '300', LOG_FLUSH_MS: '5' };

test('a stream that is cut again and again goes on at whichever replica it comes to, every word once', async () => {
  const { script, goOn } = heldBack();
  await using replicas = await startReplicas(script, { env: ENV });
  const { here, there } = replicas;
  let requests = 0;
  const target = () => {
    requests += 1;
    return requests % 2 === 0 ? here.url : there.url;
  };
  const fate = ({ path }: SeenRequest): Fate | undefined =>
    path.endsWith('/messages/stream') || EVENTS.test(path)
      ? { kind: 'break', after: DELTA, how: 'reset', isServiceTold: true }
      : undefined;
  await using proxy = await startHttpProxy(target, { fate });
  const chat = chatOver(proxy);
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  expect(await wordsOf(stream, WORDS.length - 1)).toEqual(WORDS.slice(0, -1));
  expect(await chat.turn(stream.turnId)).toMatchObject({ state: 'RUNNING' });
  goOn();
  expect(textOf(await readAll(stream))).toBe(WORDS.at(-1));
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', WORDS.join('')]);
  expect(proxy.count('GET', EVENTS)).toBeGreaterThanOrEqual(WORDS.length - 1);
  expect(replicas.upstream.calls.length).toBe(1);
});

test('a stream whose replica is shut down goes on at the one that has the turn', async () => {
  const { script, goOn } = heldBack();
  await using replicas = await startReplicas(script, { env: ENV });
  const { here, there, services } = replicas;
  let target = here.url;
  const fate = ({ path }: SeenRequest): Fate | undefined =>
    path.endsWith('/messages/stream') ? { kind: 'break', after: DELTA, how: 'end', isServiceTold: true } : undefined;
  await using proxy = await startHttpProxy(() => target, { fate });
  const chat = chatOver(proxy);
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  expect(await wordsOf(stream, 1)).toEqual(WORDS.slice(0, 1));
  target = there.url;
  expect(await wordsOf(stream, WORDS.length - 2)).toEqual(WORDS.slice(1, -1));
  const reading = readAll(stream);
  target = here.url;
  await services[1].close();
  await until('it has come back', () => proxy.count('GET', EVENTS) >= 2);
  goOn();
  expect(textOf(await reading)).toBe(WORDS.at(-1));
  expect(await stream.turn).toMatchObject({ state: 'COMMITTED', text: WORDS.join('') });
});

test('a stream whose producer is killed is told so by another replica, after all that was said', async () => {
  const { script } = heldBack();
  const env = { ...ENV, LEASE_MS: '1000' };
  await using replicas = await startReplicas(script, { env });
  const variables = { REDIS_URL: inject('redisUrl'), REDIS_KEY_PREFIX: replicas.prefix, DEFAULT_MODEL: 'm', ...env };
  await using producer = await spawnService({ ...variables, VERTEX_AI_EMULATOR_HOST: replicas.upstream.address });
  let target = producer.url;
  await using proxy = await startHttpProxy(() => target);
  const chat = chatOver(proxy);
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  const pieces: TextGenerationResponse[] = [];
  const error = errorOf<ChatProxyError>(
    (async () => {
      for await (const piece of stream) pieces.push(piece);
    })(),
  );
  await until('all has been said', () => pieces.length === WORDS.length - 1);
  target = replicas.here.url;
  producer.process.signal('SIGKILL');
  expect(await error).toMatchObject({ code: 'producer_lost', retryable: true, turnId: stream.turnId });
  expect(pieces.map(({ text }) => text)).toEqual(WORDS.slice(0, -1));
  expect(await historyOf(chat)).toEqual([]);
});
