// The grammar of event streams, and when their headers come.

import { expect, test } from 'vitest';
import { Client, send } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { answer, asJson, asStream, event, said, startUpstream } from '../support/upstream.ts';

test('a stream has the headers that keep proxies from holding it back', async () => {
  await using scene = await startScene();
  const path = await scene.client.session({});
  const stream = await scene.client.stream(path, { message: 'hello' }).done();
  expect(stream.response?.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-store, no-transform',
    'x-accel-buffering': 'no',
    'turn-id': stream.events[0]?.data.turnId,
    location: `${path}/turns/${stream.events[0]?.data.turnId}`,
  });
});

test('every event has an id of its own, in order, and the last one alone is terminal', async () => {
  await using scene = await startScene();
  const path = await scene.client.session({});
  const ids: string[] = [];
  for (const message of ['first', '[[thoughts]] second', '[[block-answer]] third']) {
    const stream = await scene.client.stream(path, { message }).done();
    expect(stream.types[0]).toBe('turn.started');
    expect(stream.types.at(-1)).toBe(stream.terminal?.event);
    expect(stream.ending).toBe('end');
    ids.push(...stream.events.map(({ id }) => id));
  }
  const inOrder = ids.map((id) => id.split('-').map(Number) as [number, number]);
  const sorted = [...inOrder].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  expect(inOrder).toEqual(sorted);
  expect(new Set(ids).size).toBe(ids.length);
});

test('parts travel with a delta only when there is more than plain text in it', async () => {
  await using scene = await startScene();
  const path = await scene.client.session({});
  const stream = await scene.client.stream(path, { message: '[[thoughts]] hello' }).done();
  const deltas = stream.events.filter(({ event: type }) => type === 'candidate.delta').map(({ data }) => data);
  const thoughts = deltas.filter(({ parts }) => parts?.some((part: { thought?: boolean }) => part.thought));
  expect(thoughts.length).toBeGreaterThan(0);
  expect(thoughts.every(({ text }) => text === '')).toBe(true);
  expect(deltas.some(({ parts }) => parts === undefined)).toBe(true);
  const { json } = await scene.client.get(`${path}/messages`);
  expect(json.messages[1].content).toBe(stream.answer());
});

test('the terminal event leaves out texts and nothing else', async () => {
  await using scene = await startScene();
  const path = await scene.client.session({});
  const stream = await scene.client.stream(path, { message: 'hello', turnId: 'it' }).done();
  const { json: turn } = await scene.client.get(`${path}/turns/it`);
  const { text: _text, ...rest } = turn;
  const candidates = turn.candidates.map(({ text: _t, parts: _p, ...candidate }: Record<string, unknown>) => candidate);
  expect(stream.terminal?.data).toEqual({ ...rest, candidates });
});

test('headers wait for the first word of the model, and no longer than they may', async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (response) => {
    asStream(response).flushHeaders();
    await gate.promise;
    response.end(event(said('at last', 'STOP')));
  });
  await using service = await startService({
    VERTEX_AI_EMULATOR_HOST: upstream.address,
    STREAM_HEADERS_DELAY_MS: '100',
    HEARTBEAT_MS: '150',
  });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const stream = client.stream(path, { message: 'hello' });
  await until('the model is asked', () => upstream.calls.length === 1);
  expect(stream.response).toBeUndefined();
  await stream.until('a comment comes with the headers', ({ comments }) => comments.length === 1);
  expect(stream.types).toEqual(['turn.started']);
  await stream.until('heartbeats follow', ({ comments }) => comments.length >= 3);
  gate.resolve();
  await stream.done();
  expect(stream.answer()).toBe('at last');
});

test('an error after the headers have gone is the last event', async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (response) => {
    await gate.promise;
    asJson(response, 500, { error: { code: 500, message: 'secret words', status: 'INTERNAL' } });
  });
  await using service = await startService({
    VERTEX_AI_EMULATOR_HOST: upstream.address,
    STREAM_HEADERS_DELAY_MS: '50',
    UPSTREAM_RETRIES_MAX: '0',
  });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const stream = client.stream(path, { message: 'hello' });
  await stream.until('the headers have come', ({ status }) => status === 200);
  gate.resolve();
  await stream.done();
  expect(stream.types).toEqual(['turn.started', 'turn.failed']);
  expect(stream.terminal?.data.problem).toMatchObject({ code: 'model_error', status: 502, retryable: true });
});

test('the deltas of one turn reach the client while the model still speaks', async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (response) => {
    asStream(response).write(event(said('one ')));
    await gate.promise;
    response.end(event(said('two', 'STOP')));
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const stream = client.stream(path, { message: 'hello' });
  await stream.until('the first delta is there', () => stream.answer() === 'one ');
  expect((await client.get(path)).json.activeTurn.turnId).toBe(stream.events[0]?.data.turnId);
  expect(await client.history(path)).toEqual([]);
  gate.resolve();
  await stream.done();
  expect(await client.history(path)).toEqual([
    ['user', 'hello'],
    ['bot', 'one two'],
  ]);
});

test('a second message while one is running is told who holds the session', async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (response, call) => {
    await gate.promise;
    answer(response, call, 'done');
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const first = client.post(`${path}/messages`, { message: 'one', turnId: 'holder' });
  await until('the model is asked', () => upstream.calls.length === 1);
  const second = await client.post(`${path}/messages`, { message: 'two' });
  expect(second.status).toBe(409);
  expect(second.headers).toMatchObject({ 'retry-after': '1', 'x-should-retry': 'false' });
  expect(second.json).toMatchObject({
    code: 'turn_in_progress',
    activeTurn: { turnId: 'holder', eventsUrl: `${path}/turns/holder/events` },
  });
  gate.resolve();
  expect((await first).json.state).toBe('COMMITTED');
});

test.each([
  ['*/*', 200],
  ['text/event-stream', 200],
  ['text/*', 200],
  ['application/json, text/event-stream;q=0.1', 200],
  ['application/json', 406],
  ['text/event-stream;q=0', 406],
])('a client that accepts %s is answered %i', async (accept, status) => {
  await using scene = await startScene();
  const path = await scene.client.session({});
  const stream = await scene.client.stream(path, { message: 'hello' }, { accept }).done();
  expect(stream.status).toBe(status);
  if (status === 406) expect(stream.json.code).toBe('not_acceptable');
});

test('HEAD does not run a stream', async () => {
  await using scene = await startScene();
  const path = await scene.client.session({});
  const head = await send(`${scene.service.url}${path}/messages/stream`, 'HEAD');
  expect(head.status).toBe(405);
  expect((await scene.client.get(path)).json.messageCount).toBe(0);
});
