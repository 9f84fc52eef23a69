// Streams that break, and what becomes of their turns: the reader gets every word once, or is told why not.

import { expect, test } from 'vitest';
import type { ChatProxyError, TextGenerationResponse, TurnStream } from '../../src/client/client.ts';
import type { Fate, SeenRequest } from '../support/http-proxy.ts';
import { asStream, event, said } from '../support/upstream.ts';
import { errorOf, historyOf, readAll, startClient, startScriptedClient, textOf } from './chat.ts';

type Break = Omit<Fate & { kind: 'break' }, 'kind'>;

/** Streams break; everything else passes. */
function breaking(how: Break) {
  return ({ path }: SeenRequest): Fate | undefined =>
    path.endsWith('/messages/stream') ? { kind: 'break', ...how } : undefined;
}

const FIRST_DELTA = /event: candidate\.delta\ndata: .*\n\n/;

test.each([
  ['a clean end after the first delta', '[[slow:5]] Hi', { after: FIRST_DELTA, how: 'end' }],
  ['a reset after the first delta', '[[slow:5]] Hi', { after: FIRST_DELTA, how: 'reset' }],
  ['an end in the middle of an event', '[[slow:5]] Hi', { after: /candidate\.delta\ndata: .{9}/, how: 'end' }],
  ['an end before any event', '[[slow:5]] Hi', { after: /: open\n\n/, how: 'end' }],
  ['an end before the last event', 'Hi', { after: /event: candidate\.finished\ndata: .*\n\n/, how: 'reset' }],
  ['an end between thoughts', '[[slow:5]] [[thoughts]] Hi', { after: FIRST_DELTA, how: 'end' }],
  ['an end between candidates', '[[slow:5]] [[candidates:2]] Hi', { after: FIRST_DELTA, how: 'end' }],
  ['an end before a signature', '[[slow:5]] [[signature]] Hi', { after: FIRST_DELTA, how: 'end' }],
] as const)('%s is made good', async (_name, message, how) => {
  await using scene = await startClient({ fate: breaking({ ...how, isServiceTold: false }) });
  const chat = scene.model.startChat();
  const candidateCount = message.includes('candidates') ? 2 : null;
  const stream = chat.sendMessageStreaming(message, { candidateCount });
  const pieces = await readAll(stream);
  const turn = await chat.turn(stream.turnId);
  expect(turn.state).toBe('COMMITTED');
  expect(await stream.turn).toEqual(turn);
  for (const { index, text, parts, finishReason } of turn.candidates) {
    const own = pieces.filter((piece) => piece.index === index);
    expect(textOf(own, index)).toBe(text);
    expect(own.flatMap((piece) => piece.parts.map((part) => part.text ?? '')).join('')).toBe(
      parts.map((part) => part.text ?? '').join(''),
    );
    expect(own.filter((piece) => piece.finishReason !== undefined)).toMatchObject([{ finishReason }]);
  }
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', turn.text]);
});

/** What was read before the loop ended, and how it ended. */
async function readUntilError(stream: TurnStream) {
  const pieces: TextGenerationResponse[] = [];
  const loop = async () => {
    for await (const piece of stream) pieces.push(piece);
  };
  return { error: await errorOf<ChatProxyError>(loop()), pieces };
}

test('a turn that was cancelled because the connection broke is not taken for an answer', async () => {
  const fate = breaking({ after: FIRST_DELTA, how: 'reset', isServiceTold: true });
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[slow:100]] [[chunks:20]] Hi');
  const { error, pieces } = await readUntilError(stream);
  expect(textOf(pieces)).not.toBe('');
  expect(error).toMatchObject({ code: undefined, retryable: true, turnId: stream.turnId, sessionId: chat.sessionId });
  expect(error.message).toContain('onDisconnect: "cancel"');
  expect(await errorOf(stream.turn)).toBe(error);
  expect(await historyOf(chat)).toEqual([]);
});

test('with onDisconnect: continue a broken connection costs nothing', async () => {
  const fate = breaking({ after: FIRST_DELTA, how: 'reset', isServiceTold: true });
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[slow:10]] Hi', { onDisconnect: 'continue' });
  const text = textOf(await readAll(stream));
  expect(await historyOf(chat)).toEqual([
    ['user', '[[slow:10]] Hi'],
    ['bot', text],
  ]);
});

test('a turn that failed after its stream broke is an error, after all that it said', async () => {
  await using scene = await startClient({ fate: breaking({ after: FIRST_DELTA, how: 'end', isServiceTold: false }) });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[cut:4]] [[slow:5]] [[chunks:8]] Hi');
  const { error, pieces } = await readUntilError(stream);
  expect(error).toMatchObject({ code: 'model_protocol_error', turnId: stream.turnId });
  expect(textOf(pieces)).toBe((await chat.turn(stream.turnId)).text);
});

test('a blocked turn is found blocked', async () => {
  await using scene = await startClient({ fate: breaking({ after: /: open\n\n/, how: 'end', isServiceTold: false }) });
  const stream = scene.model.startChat().sendMessageStreaming('[[block-prompt]]');
  expect((await readAll(stream)).map(({ isBlocked }) => isBlocked)).toEqual([true]);
  expect(await stream.turn).toMatchObject({ state: 'BLOCKED' });
});

test('a connection that says nothing any more is taken for broken', async () => {
  await using scene = await startClient({
    fate: breaking({ after: FIRST_DELTA, how: 'silence', isServiceTold: false }),
    options: { streamIdleMs: 200 },
  });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  const text = textOf(await readAll(stream));
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', text]);
});

test('a service that is away for a while meanwhile is waited for', async () => {
  const broken = breaking({ after: FIRST_DELTA, how: 'end', isServiceTold: false });
  let outages = 3;
  const fate = (request: SeenRequest): Fate | undefined => {
    if (!request.path.includes('/turns/') || outages === 0) return broken(request);
    outages -= 1;
    return { kind: 'answer', status: 503, type: 'text/html', body: 'Down' };
  };
  await using scene = await startClient({ fate });
  const stream = scene.model.startChat().sendMessageStreaming('Hi');
  await readAll(stream);
  expect(await stream.turn).toMatchObject({ state: 'COMMITTED' });
  expect(outages).toBe(0);
});

test('where there are no events, the end of a turn is not waited for without end', async () => {
  const fate = (request: SeenRequest): Fate | undefined =>
    request.path.endsWith('/events')
      ? { kind: 'answer', status: 406, type: 'text/html', body: 'No.' }
      : breaking({ after: FIRST_DELTA, how: 'end', isServiceTold: false })(request);
  await using scene = await startScriptedClient(
    (response) => {
      asStream(response).write(event(said('and then ')));
    },
    { fate, options: { recoverMs: 300 } },
  );
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Hi');
  const { error } = await readUntilError(stream);
  expect(error).toMatchObject({ code: undefined, retryable: true, turnId: stream.turnId });
  expect(error.message).toContain('300 ms');
  expect(await chat.turn(stream.turnId)).toMatchObject({ state: 'RUNNING' });
});

test('the signal ends a stream that is gone on with', async () => {
  await using scene = await startScriptedClient(
    (response) => {
      asStream(response).write(event(said('and then ')));
    },
    { fate: breaking({ after: FIRST_DELTA, how: 'end', isServiceTold: false }) },
  );
  const abort = new AbortController();
  const stream = scene.model.startChat().sendMessageStreaming('Hi', { signal: abort.signal });
  await stream.next();
  const waiting = errorOf(stream.next());
  abort.abort(new Error('enough'));
  expect(await waiting).toMatchObject({ message: 'enough' });
});
