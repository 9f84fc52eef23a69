// Cancelling turns: by their stream, by their id, by leaving a stream that was gone on with.

import { expect, test } from 'vitest';
import type { ChatSession, TurnStream } from '../../src/client/client.ts';
import type { Fate, SeenRequest } from '../support/http-proxy.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, type Script, said } from '../support/upstream.ts';
import { type ClientScene, errorOf, historyOf, readAll, startScriptedClient, textOf } from './chat.ts';

const CANCELS = /\/cancel$/;
const EVENTS = /\/events$/;

/** A model that says half a sentence and waits; `[silent]` is told nothing, an `[again]` at once. */
const halfAnswer: Script = (response, call) => {
  if (call.body.includes('[again]')) answer(response, call, 'Here.');
  else if (!call.body.includes('[silent]')) asStream(response).write(event(said('half an ')));
};

async function begun(chat: ChatSession, onDisconnect: 'cancel' | 'continue' = 'cancel'): Promise<TurnStream> {
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect });
  expect((await stream.next()).value).toMatchObject({ text: 'half an ' });
  return stream;
}

test('a cancelled stream ends its loop with the turn as CANCELLED, and leaves no trace', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const chat = scene.model.startChat();
  const stream = await begun(chat);
  const turn = await stream.cancel();
  expect(turn).toMatchObject({ turnId: stream.turnId, state: 'CANCELLED', text: 'half an ', isBlocked: false });
  await scene.upstream.calls[0]?.aborted;
  expect(await readAll(stream)).toEqual([]);
  expect(await stream.turn).toEqual(turn);
  expect(await chat.turn(stream.turnId)).toEqual(turn);
  expect(await historyOf(chat)).toEqual([]);
  expect(await chat.sendMessage('[again]')).toMatchObject({ state: 'COMMITTED', text: 'Here.' });
});

test('with keep: partial the history has the question and what was said', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const chat = scene.model.startChat();
  const history = chat.messageHistory();
  const stream = await begun(chat);
  const turn = await stream.cancel({ keep: 'partial' });
  expect(textOf(await readAll(stream))).toBe('');
  expect(await stream.turn).toEqual(turn);
  const messages = await history.toArray();
  expect(messages).toMatchObject([
    { author: 'user', content: 'Hi', turnId: stream.turnId },
    { author: 'bot', content: 'half an ', turnId: stream.turnId },
  ]);
  expect(messages.map(({ id }) => id)).toEqual(turn.messages);
  await chat.sendMessage('[again]');
  expect(scene.upstream.calls.at(-1)?.body).toContain('half an ');
});

test('a loop that still waits for the first word ends, too', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const stream = scene.model.startChat().sendMessageStreaming('[silent]');
  const reading = readAll(stream);
  await until('the model is asked', () => scene.upstream.calls.length === 1);
  expect(await stream.cancel()).toMatchObject({ state: 'CANCELLED', text: '' });
  expect(await reading).toEqual([]);
  expect(await stream.turn).toMatchObject({ state: 'CANCELLED' });
});

test('a turn whose message is still on its way is cancelled as soon as it is there', async () => {
  const way = Promise.withResolvers<void>();
  const fate = ({ path }: SeenRequest): Fate | undefined =>
    path.endsWith('/messages/stream') ? { kind: 'hold', until: way.promise } : undefined;
  await using scene = await startScriptedClient(halfAnswer, { fate });
  const stream = scene.model.startChat().sendMessageStreaming('[silent]');
  const reading = readAll(stream);
  await until('the message is on its way', () => scene.proxy.count('POST', /\/stream$/) === 1);
  const cancelled = stream.cancel();
  await until('it was asked for in vain', () => scene.proxy.count('POST', CANCELS) >= 2);
  way.resolve();
  expect(await cancelled).toMatchObject({ state: 'CANCELLED' });
  expect(await reading).toEqual([]);
});

test('a stream that was not begun has nothing to cancel, and sends nothing afterwards', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const stream = scene.model.startChat().sendMessageStreaming('Hi');
  expect(await errorOf(stream.cancel())).toMatchObject({ name: 'AbortError' });
  expect(await readAll(stream)).toEqual([]);
  expect(scene.proxy.seen).toEqual([]);
});

test('a turn is cancelled by its id, from another chat of its session', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const chat = scene.model.startChat();
  const stream = await begun(chat);
  const other = scene.model.openChat(chat.sessionId);
  const turn = await other.cancelTurn(stream.turnId, { keep: 'partial' });
  expect(turn).toMatchObject({ state: 'CANCELLED', text: 'half an ' });
  expect(await readAll(stream)).toEqual([]);
  expect(await stream.turn).toEqual(turn);
  for (const reader of [chat, other]) {
    expect((await historyOf(reader)).map(([, content]) => content)).toEqual(['Hi', 'half an ']);
  }
  // The first request decides.
  expect(await chat.cancelTurn(stream.turnId)).toEqual(turn);
  expect((await historyOf(chat)).length).toBe(2);
  expect(await errorOf(chat.cancelTurn('nobody'))).toMatchObject({ code: 'turn_not_found', status: 404 });
});

test('a message that is sent without a stream is answered with its cancelled turn', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const chat = scene.model.startChat();
  const sent = chat.sendMessage('[silent]', { turnId: 'it' });
  await until('the model is asked', () => scene.upstream.calls.length === 1);
  const turn = await chat.cancelTurn('it');
  expect(turn).toMatchObject({ state: 'CANCELLED' });
  expect(await sent).toEqual(turn);
});

test('a turn that is over stays what it is', async () => {
  await using scene = await startScriptedClient(halfAnswer);
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[again]');
  await readAll(stream);
  expect(await stream.cancel()).toEqual(await stream.turn);
  expect((await historyOf(chat)).length).toBe(2);
});

test.each([
  ['is lost', { kind: 'lose' }],
  ['is that of a gateway', { kind: 'answer', status: 504, type: 'text/html', body: 'Too late' }],
  [
    'is that the turn takes long to end (202)',
    { kind: 'answer', status: 202, type: 'application/json', body: '{"state":"RUNNING"}' },
  ],
] as const)('a cancel whose answer %s is answered with the turn all the same', async (_name, first) => {
  let fates: readonly Fate[] = [first];
  const fate = ({ path }: SeenRequest): Fate | undefined => {
    if (!CANCELS.test(path)) return undefined;
    const [next, ...rest] = fates;
    fates = rest;
    return next;
  };
  await using scene = await startScriptedClient(halfAnswer, { fate });
  const chat = scene.model.startChat();
  const stream = await begun(chat);
  const cancelled = stream.cancel();
  // What was answered in the service's place has not reached it.
  if (first.kind === 'answer' && first.status === 202) {
    await until('the turn is waited for', () => scene.proxy.count('GET', /\/turns\//) > 0);
    await scene.model.openChat(chat.sessionId).cancelTurn(stream.turnId);
  }
  expect(await cancelled).toMatchObject({ state: 'CANCELLED', text: 'half an ' });
});

/** The stream breaks without the service's knowing, so that its turn goes on with `onDisconnect: cancel`, too. */
const cutUnseen = ({ path }: SeenRequest): Fate | undefined =>
  path.endsWith('/messages/stream')
    ? { kind: 'break', after: /event: candidate\.delta\ndata: .*\n\n/, how: 'end', isServiceTold: false }
    : undefined;

const isGoneOn = ({ proxy }: ClientScene) => until('the stream is gone on with', () => proxy.count('GET', EVENTS) > 0);

test('a stream that was cut and is cancelled afterwards ends normally, also with onDisconnect: cancel', async () => {
  await using scene = await startScriptedClient(halfAnswer, { fate: cutUnseen });
  const stream = await begun(scene.model.startChat());
  const reading = readAll(stream);
  await isGoneOn(scene);
  await stream.cancel();
  expect(await reading).toEqual([]);
  expect(await stream.turn).toMatchObject({ state: 'CANCELLED' });
});

test('leaving a stream that was gone on with cancels the turn, although the first connection is long gone', async () => {
  await using scene = await startScriptedClient(halfAnswer, { fate: cutUnseen });
  const chat = scene.model.startChat();
  const stream = await begun(chat);
  const waiting = stream.next();
  await isGoneOn(scene);
  await stream.return();
  await scene.upstream.calls[0]?.aborted;
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await chat.sendMessage('[again]')).toMatchObject({ state: 'COMMITTED' });
  expect((await historyOf(chat)).map(([, content]) => content)).toEqual(['[again]', 'Here.']);
  expect(await chat.turn(stream.turnId)).toMatchObject({ state: 'CANCELLED' });
});

test('with onDisconnect: continue leaving it cancels nothing', async () => {
  await using scene = await startScriptedClient(halfAnswer, { fate: cutUnseen });
  const chat = scene.model.startChat();
  const stream = await begun(chat, 'continue');
  const waiting = stream.next();
  await isGoneOn(scene);
  await stream.return();
  await waiting;
  expect(await errorOf(chat.sendMessage('[again]'))).toMatchObject({ code: 'turn_in_progress' });
  expect(scene.proxy.count('POST', CANCELS)).toBe(0);
  expect(await stream.cancel()).toMatchObject({ state: 'CANCELLED' });
});
