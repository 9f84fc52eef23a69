// Streams that break while the turn goes on: they are gone on with where they broke, as they come, every piece once.

import { describe, expect, test } from 'vitest';
import type { ChatProxyError, TextGenerationResponse, TurnStream } from '../../src/client/client.ts';
import type { Fate, SeenRequest } from '../support/http-proxy.ts';
import { until } from '../support/until.ts';
import { asStream, event, type Script, said } from '../support/upstream.ts';
import { type ClientScene, errorOf, historyOf, readAll, startClient, startScriptedClient, textOf } from './chat.ts';

const EVENTS = /\/turns\/[^/]+\/events$/;
const isStream = ({ path }: SeenRequest) => path.endsWith('/messages/stream') || EVENTS.test(path);

const FIRST_DELTA = /event: candidate\.delta\ndata: .*\n\n/;
const TWO_DELTAS = /(?:event: candidate\.delta\ndata: .*\n\n[\s\S]*?){2}/;
const HALF_A_DELTA = /(?:event: candidate\.delta\ndata: .*\n\n[\s\S]*?){2}event: candidate\.delta\ndata: .{9}/;

type Break = Omit<Fate & { kind: 'break' }, 'kind'>;
const broken = (how: Break): Fate => ({ kind: 'break', ...how });

/** The first stream breaks after its first delta, and the service is not told; what follows it has this fate. */
function brokenOnce(then: (request: SeenRequest) => Fate | undefined = () => undefined) {
  return (request: SeenRequest): Fate | undefined =>
    request.path.endsWith('/messages/stream')
      ? broken({ after: FIRST_DELTA, how: 'end', isServiceTold: false })
      : then(request);
}

const WORDS = Array.from({ length: 15 }, (_, index) => `word ${index}, `);

/** A model that says all words but the last one, and that one when it may. */
function heldBack() {
  const gate = Promise.withResolvers<void>();
  const script: Script = async (response) => {
    asStream(response).write(
      WORDS.slice(0, -1)
        .map((word) => event(said(word)))
        .join(''),
    );
    await gate.promise;
    response.end(event(said(WORDS.at(-1) ?? '', 'STOP')));
  };
  return { script, goOn: gate.resolve };
}

async function readSome(stream: TurnStream, count: number): Promise<TextGenerationResponse[]> {
  const pieces: TextGenerationResponse[] = [];
  while (pieces.length < count) {
    const { done, value } = await stream.next();
    if (done) throw new Error('the stream has ended');
    pieces.push(value);
  }
  return pieces;
}

const textsOf = (pieces: readonly TextGenerationResponse[]) => pieces.map(({ text }) => text);
const cursorsIn = ({ proxy }: ClientScene) =>
  proxy.seen.filter(({ path }) => EVENTS.test(path)).map(({ headers }) => headers['last-event-id']);

test.each([
  ['ends after every two of its deltas', { after: TWO_DELTAS, how: 'end', isServiceTold: true }],
  ['is reset after every two of its deltas', { after: TWO_DELTAS, how: 'reset', isServiceTold: true }],
  ['is reset in the middle of every third delta', { after: HALF_A_DELTA, how: 'reset', isServiceTold: true }],
  ['falls silent after every two of its deltas', { after: TWO_DELTAS, how: 'silence', isServiceTold: true }],
] as const)('a stream that %s arrives as it comes, every delta once', async (_name, how) => {
  const { script, goOn } = heldBack();
  const fate = (request: SeenRequest) => (isStream(request) ? broken(how) : undefined);
  await using scene = await startScriptedClient(script, { fate, options: { streamIdleMs: 300 } });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  expect(textsOf(await readSome(stream, WORDS.length - 1))).toEqual(WORDS.slice(0, -1));
  expect(await chat.turn(stream.turnId)).toMatchObject({ state: 'RUNNING' });
  goOn();
  const rest = await readAll(stream);
  expect(textsOf(rest)).toEqual([WORDS.at(-1), '']);
  expect(rest.at(-1)).toMatchObject({ finishReason: 'STOP' });
  expect(await stream.turn).toEqual(await chat.turn(stream.turnId));
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', WORDS.join('')]);
  const cursors = cursorsIn(scene);
  expect(cursors.length).toBeGreaterThanOrEqual(6);
  expect(cursors).not.toContain(undefined);
  expect(scene.upstream.calls.length).toBe(1);
});

test('a stream that breaks before its first event begins on the next connection', async () => {
  const { script, goOn } = heldBack();
  const fate = (request: SeenRequest) =>
    request.path.endsWith('/messages/stream')
      ? broken({ after: /: open\n\n/, how: 'reset', isServiceTold: true })
      : undefined;
  await using scene = await startScriptedClient(script, { fate });
  const stream = scene.model.startChat().sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  expect(textsOf(await readSome(stream, 3))).toEqual(WORDS.slice(0, 3));
  expect(cursorsIn(scene)).toEqual([undefined]);
  goOn();
  await readAll(stream);
  expect(await stream.turn).toMatchObject({ state: 'COMMITTED' });
});

test('a turn that has ended meanwhile is told to its end', async () => {
  const way = Promise.withResolvers<void>();
  const fate = brokenOnce(({ path }) => (EVENTS.test(path) ? { kind: 'hold', until: way.promise } : undefined));
  const { script, goOn } = heldBack();
  await using scene = await startScriptedClient(script, { fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  expect(textsOf(await readSome(stream, 1))).toEqual(WORDS.slice(0, 1));
  const reading = readAll(stream);
  goOn();
  await until('the turn has committed', async () => (await chat.turn(stream.turnId)).state === 'COMMITTED');
  way.resolve();
  expect(textOf(await reading)).toBe(WORDS.slice(1).join(''));
  expect(scene.proxy.count('GET', EVENTS)).toBe(1);
  expect(await stream.turn).toMatchObject({ state: 'COMMITTED' });
});

test('a log that is gone meanwhile (410) is made good from the turn', async () => {
  const way = Promise.withResolvers<void>();
  let isHeld = true;
  const fate = brokenOnce(({ path }) => {
    return isHeld && EVENTS.test(path) ? { kind: 'hold', until: way.promise } : undefined;
  });
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[chunks:4]] Hi', { onDisconnect: 'continue' });
  const [first] = await readSome(stream, 1);
  const reading = readAll(stream);
  // The log is kept of the newest two turns.
  for (const next of ['one', 'two']) await chat.sendMessage(next, { onBusy: 'enqueue' });
  isHeld = false;
  const address = `${scene.proxy.url}/v1/sessions/${chat.sessionId}/turns/${stream.turnId}/events`;
  expect((await fetch(address)).status).toBe(410);
  way.resolve();
  const text = textOf([...(first ? [first] : []), ...(await reading)]);
  expect(text).toBe((await chat.turn(stream.turnId)).text);
  expect((await historyOf(chat))[1]).toEqual(['bot', text]);
  expect(await stream.turn).toEqual(await chat.turn(stream.turnId));
});

test.each([
  ['204', { status: 204, type: 'text/plain', body: '' }],
  ['406', { status: 406, type: 'text/html', body: 'No.' }],
  ['400', { status: 400, type: 'application/problem+json', body: '{"code":"invalid_argument","title":"Bad"}' }],
  ['a page', { status: 200, type: 'text/html', body: 'Welcome!' }],
] as const)('where the events are answered with %s the turn is read', async (_name, given) => {
  const fate = brokenOnce(({ path }) => (EVENTS.test(path) ? { kind: 'answer', ...given } : undefined));
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[chunks:4]] Hi');
  const text = textOf(await readAll(stream));
  expect(await stream.turn).toEqual(await chat.turn(stream.turnId));
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', text]);
  expect(scene.proxy.count('GET', EVENTS)).toBe(1);
});

test('where no events come through, the turn is read after some attempts', async () => {
  const fate = brokenOnce((request) =>
    isStream(request) ? broken({ after: /: open\n\n/, how: 'end', isServiceTold: true }) : undefined,
  );
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('[[chunks:4]] Hi');
  const text = textOf(await readAll(stream));
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', text]);
  expect(scene.proxy.count('GET', EVENTS)).toBe(6);
});

test('where the id is lost on the way, nothing is told twice', async () => {
  const withoutId = (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    headers.delete('last-event-id');
    return fetch(url, { ...init, headers });
  };
  await using scene = await startClient({ fate: brokenOnce(), options: { fetch: withoutId } });
  const chat = scene.model.startChat();
  const text = textOf(await readAll(chat.sendMessageStreaming('[[chunks:4]] Hi')));
  expect(cursorsIn(scene)).toEqual([undefined]);
  expect((await historyOf(chat)).at(-1)).toEqual(['bot', text]);
});

test('a session that was deleted meanwhile is an error', async () => {
  const way = Promise.withResolvers<void>();
  const fate = brokenOnce(({ path }) => (EVENTS.test(path) ? { kind: 'hold', until: way.promise } : undefined));
  const { script } = heldBack();
  await using scene = await startScriptedClient(script, { fate });
  const chat = scene.model.startChat();
  const stream = chat.sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  await readSome(stream, 1);
  const error = errorOf<ChatProxyError>(readAll(stream));
  await chat.delete();
  way.resolve();
  expect(await error).toMatchObject({ code: 'session_not_found', status: 404 });
});

describe('a service that does not come back', () => {
  const AWAY: readonly (readonly [string, Fate])[] = [
    ['drops every connection', { kind: 'drop' }],
    ['is a page of its gateway', { kind: 'answer', status: 503, type: 'text/html', body: 'Down' }],
    ['answers nothing', { kind: 'hold', until: new Promise(() => undefined) }],
  ];

  test.each(AWAY)('and %s is an error, in time', async (_name, away) => {
    const fate = brokenOnce(({ path }) => (path.includes('/turns/') ? away : undefined));
    await using scene = await startClient({ fate, options: { recoverMs: 400 } });
    const chat = scene.model.startChat();
    const stream = chat.sendMessageStreaming('[[slow:50]] [[chunks:20]] Hi', { onDisconnect: 'continue' });
    const beganAt = performance.now();
    const error = await errorOf<ChatProxyError>(readAll(stream));
    expect(performance.now() - beganAt).toBeLessThan(5000);
    expect(error).toMatchObject({ name: 'ChatProxyError', code: undefined, retryable: true, turnId: stream.turnId });
    expect(error.message).toContain('could not be gone on with within 400 ms');
    expect(error.cause).toBeInstanceOf(Error);
    expect(await errorOf(stream.turn)).toBe(error);
  });
});

test('the time without a connection counts from one event to the next, not the whole turn', async () => {
  const { script, goOn } = heldBack();
  const fate = (request: SeenRequest) =>
    isStream(request) ? broken({ after: FIRST_DELTA, how: 'end', isServiceTold: true }) : undefined;
  await using scene = await startScriptedClient(script, { fate, options: { recoverMs: 300 } });
  const stream = scene.model.startChat().sendMessageStreaming('Hi', { onDisconnect: 'continue' });
  const beganAt = performance.now();
  await readSome(stream, WORDS.length - 1);
  expect(performance.now() - beganAt).toBeGreaterThan(300);
  goOn();
  expect(textOf(await readAll(stream))).toBe(WORDS.at(-1));
});

test('it comes back no sooner than it is told to', async () => {
  const times: number[] = [];
  const fate = brokenOnce(({ path }) => {
    if (!EVENTS.test(path)) return undefined;
    times.push(performance.now());
    if (times.length > 1) return undefined;
    return { kind: 'answer', status: 503, type: 'text/html', body: 'Down', headers: { 'retry-after': '1' } };
  });
  await using scene = await startClient({ fate });
  await readAll(scene.model.startChat().sendMessageStreaming('Hi'));
  const [refused = 0, again = 0] = times;
  expect(again - refused).toBeGreaterThan(950);
});

test('the signal ends the waiting for a service that is away', async () => {
  const abort = new AbortController();
  const headers = { 'retry-after': '60' };
  const later: Fate = { kind: 'answer', status: 503, type: 'text/html', body: 'Down', headers };
  const fate = brokenOnce(({ path }) => (EVENTS.test(path) ? later : undefined));
  const { script, goOn } = heldBack();
  await using scene = await startScriptedClient(script, { fate });
  const stream = scene.model.startChat().sendMessageStreaming('Hi', { signal: abort.signal, onDisconnect: 'continue' });
  await readSome(stream, 1);
  const error = errorOf(readAll(stream));
  await until('it has tried', () => scene.proxy.count('GET', EVENTS) === 1);
  abort.abort(new Error('enough'));
  expect(await error).toMatchObject({ message: 'enough' });
  goOn();
});
