// Streams as they should be: what is yielded, when the history grows, and what leaving does.

import { expect, test } from 'vitest';
import type { ChatProxyError, TextGenerationResponse, TurnStream } from '../../src/client/client.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said } from '../support/upstream.ts';
import { errorOf, historyOf, readAll, startClient, startScriptedClient, textOf } from './chat.ts';

const STREAMS = /\/messages\/stream$/;

/** A model that says one piece, and the rest when the test lets it. */
function twoPieces() {
  const gate = Promise.withResolvers<void>();
  const script = async (response: Parameters<typeof asStream>[0]) => {
    asStream(response).write(event(said('Once ')));
    await gate.promise;
    response.end(event(said('upon a time.', 'STOP')));
  };
  return { script, goOn: gate.resolve };
}

async function piece(stream: TurnStream): Promise<TextGenerationResponse | undefined> {
  return (await stream.next()).value;
}

test('nothing is sent before the first piece is asked for', async () => {
  await using scene = await startClient();
  const stream = scene.model.startChat().sendMessageStreaming('Hi');
  expect(scene.proxy.seen).toEqual([]);
  await piece(stream);
  expect(scene.proxy.seen.map(({ method }) => method)).toEqual(['POST', 'POST']);
  await stream.return();
});

test('a stream that was never begun is left without a trace', async () => {
  await using scene = await startClient();
  const stream = scene.model.startChat().sendMessageStreaming('Hi');
  await stream.return();
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  expect(await errorOf(stream.turn)).toMatchObject({ name: 'AbortError' });
  expect(scene.proxy.seen).toEqual([]);
});

test('the history grows once the answer has been read to its end, not before', async () => {
  const { script, goOn } = twoPieces();
  await using scene = await startScriptedClient(script);
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Tell me');
  expect(await piece(stream)).toMatchObject({ index: 0, text: 'Once ', parts: [{ text: 'Once ' }], isBlocked: false });
  expect(await historyOf(chat)).toEqual([]);
  goOn();
  const rest = await readAll(stream);
  expect(textOf(rest)).toBe('upon a time.');
  expect(rest.at(-1)).toMatchObject({ index: 0, text: '', parts: [], finishReason: 'STOP', isBlocked: false });
  expect(await historyOf(chat)).toEqual([
    ['user', 'Tell me'],
    ['bot', 'Once upon a time.'],
  ]);
  expect(await stream.turn).toMatchObject({ state: 'COMMITTED', turnId: stream.turnId });
});

test.each([
  '[[thoughts]] think',
  '[[candidates:3]] three',
  '[[signature]] sign',
  '[[call:f]]',
  '[[citations]] cite',
  '[[image]]',
])('the turn at the end is the one that the service has, every part said once: %s', async (message) => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming(message, message.includes('three') ? { candidateCount: 3 } : {});
  const pieces = await readAll(stream);
  const kept = await chat.turn(stream.turnId);
  expect(await stream.turn).toEqual(kept);
  expect(pieces.filter(({ finishReason }) => finishReason !== undefined).length).toBe(kept.candidates.length);
  for (const { index, text } of kept.candidates) expect(textOf(pieces, index)).toBe(text);
});

test.each(['[[block-prompt]]', '[[block-answer]]', '[[empty]]'])(
  'a blocked answer says so and does not throw: %s',
  async (message) => {
    await using scene = await startClient();
    const chat = scene.model.startChat();
    const stream = chat.sendMessageStreaming(message);
    const pieces = await readAll(stream);
    expect(pieces.filter(({ isBlocked }) => isBlocked).length).toBe(1);
    expect(pieces.at(-1)?.blockReason).toBe((await stream.turn).blockReason);
    expect(await stream.turn).toMatchObject({ state: 'BLOCKED', isBlocked: true });
    expect(await historyOf(chat)).toEqual([]);
  },
);

test('what fails after the first piece is thrown after the last, and nobody has to look at the turn', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[cut]] Hi');
  const pieces: TextGenerationResponse[] = [];
  const error = await errorOf<ChatProxyError>(
    (async () => {
      for await (const next of stream) pieces.push(next);
    })(),
  );
  expect(textOf(pieces)).not.toBe('');
  expect(error).toMatchObject({ name: 'ChatProxyError', turnId: stream.turnId, sessionId: chat.sessionId });
  expect(error).toMatchObject({ code: 'model_protocol_error', status: 502, retryable: true });
  expect(await errorOf(stream.turn)).toBe(error);
  expect(await historyOf(chat)).toEqual([]);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test('what fails before the first piece is thrown by the first next', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[status:404]]');
  expect(await errorOf(stream.next())).toMatchObject({ code: 'unsupported_by_model', turnId: stream.turnId });
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

async function breakOut(stream: TurnStream): Promise<void> {
  for await (const _ of stream) break;
}

async function throwOut(stream: TurnStream): Promise<void> {
  const thrown = new Error('mine');
  const loop = async () => {
    for await (const _ of stream) throw thrown;
  };
  expect(await errorOf(loop())).toBe(thrown);
}

test.each([breakOut, throwOut])('leaving the loop ends the connection and leaves no trace: %o', async (leave) => {
  const { script } = twoPieces();
  await using scene = await startScriptedClient((response, call) => {
    if (call.body.includes('again')) answer(response, call, 'Here.');
    else void script(response);
  });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Tell me');
  await leave(stream);
  await scene.upstream.calls[0]?.aborted;
  expect(await errorOf(stream.turn)).toMatchObject({ name: 'AbortError' });
  // At once, although the service may not have seen the end of the connection yet.
  const next = await chat.sendMessage('again');
  expect(next.state).toBe('COMMITTED');
  expect(await historyOf(chat)).toEqual([
    ['user', 'again'],
    ['bot', 'Here.'],
  ]);
  expect(await chat.turn(stream.turnId)).toMatchObject({ state: 'CANCELLED', text: 'Once ' });
});

test('the next call waits until the service has seen that the stream was left', async () => {
  const gone = Promise.withResolvers<void>();
  const { script } = twoPieces();
  await using scene = await startScriptedClient(
    (response, call) => (call.isStream ? void script(response) : answer(response, call, 'Here.')),
    { fate: ({ path }) => (STREAMS.test(path) ? { kind: 'deaf', until: gone.promise } : undefined) },
  );
  const chat = scene.model.startChat();
  await breakOut(chat.sendMessageStreaming('Tell me'));
  const next = chat.sendMessage('again');
  await until('the turn is looked at twice', () => scene.proxy.count('GET', /\/turns\//) >= 2);
  gone.resolve();
  expect(await next).toMatchObject({ state: 'COMMITTED', text: 'Here.' });
});

test('aborting the signal does the same, and its reason is thrown', async () => {
  const { script } = twoPieces();
  await using scene = await startScriptedClient(script);
  const chat = scene.model.startChat();
  const abort = new AbortController();
  const stream = chat.sendMessageStreaming('Tell me', { signal: abort.signal });
  await piece(stream);
  const waiting = errorOf(stream.next());
  abort.abort(new Error('enough'));
  expect(await waiting).toMatchObject({ message: 'enough' });
  await scene.upstream.calls[0]?.aborted;
  expect(await errorOf(stream.turn)).toMatchObject({ message: 'enough' });
  expect(await historyOf(chat)).toEqual([]);
  expect(await chat.turn(stream.turnId)).toMatchObject({ state: 'CANCELLED' });
});

test('a next that still waits when the stream is left just ends', async () => {
  const { script } = twoPieces();
  await using scene = await startScriptedClient(script);
  const stream = scene.model.startChat().sendMessageStreaming('Tell me');
  await piece(stream);
  const waiting = stream.next();
  await stream.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('with onDisconnect: continue the turn goes on without its reader', async () => {
  const { script, goOn } = twoPieces();
  await using scene = await startScriptedClient(script);
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Tell me', { onDisconnect: 'continue' });
  await breakOut(stream);
  expect(await errorOf(chat.sendMessage('again'))).toMatchObject({ code: 'turn_in_progress', status: 409 });
  goOn();
  await until('the turn has committed', async () => (await chat.turn(stream.turnId)).state === 'COMMITTED');
  expect((await historyOf(chat)).map(([, content]) => content)).toEqual(['Tell me', 'Once upon a time.']);
});

test('a stream is read once', async () => {
  await using scene = await startClient();
  const stream = scene.model.startChat().sendMessageStreaming('Hi');
  expect((await readAll(stream)).length).toBeGreaterThan(1);
  expect(await readAll(stream)).toEqual([]);
  expect(scene.proxy.count('POST', STREAMS)).toBe(1);
});
