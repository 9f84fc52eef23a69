// Cancelling a turn over HTTP, from the replica that produces it and from the other.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, type EventStream } from '../support/client.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { answer, asJson, asStream, event, said, startUpstream, type UpstreamCall } from '../support/upstream.ts';

/** The model says half a sentence and waits; it says nothing to `[silent]`, and a call to `[call]`. */
function halfAnswer(response: Parameters<typeof asStream>[0], call: UpstreamCall) {
  const { contents } = JSON.parse(call.body);
  const question: string = contents.at(-1).parts[0].text;
  if (question.includes('[quick]')) return answer(response, call, 'quick');
  if (question.includes('[silent]') || !call.isStream) return;
  const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 };
  asStream(response).write(event({ ...said('half an '), usageMetadata }));
  if (!question.includes('[call]')) return;
  const part = { functionCall: { name: 'f', args: {} } };
  response.write(event({ candidates: [{ index: 0, content: { role: 'model', parts: [part] } }] }));
}

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas(halfAnswer, { env: { STREAM_HEADERS_DELAY_MS: '50' } });
});
afterAll(() => replicas[Symbol.asyncDispose]());

const clientAt = (place: Place): Client => replicas[place];
const PLACES = ['here', 'there'] as const;
type Place = (typeof PLACES)[number];

/** A session whose turn `it` has said half of its answer on the replica `here`. */
async function halfWay(message = 'hello'): Promise<{ path: string; stream: EventStream; call: UpstreamCall }> {
  const path = await replicas.here.session();
  const stream = replicas.here.stream(path, { message, turnId: 'it' });
  const isThere = () => stream.answer() !== '' && (!message.includes('[call]') || stream.events.length >= 3);
  await stream.until('half of the answer', isThere);
  const call = replicas.upstream.calls.at(-1);
  if (!call) throw new Error('the model has not been asked');
  return { path, stream, call };
}

describe.each(PLACES)('a turn cancelled from the replica %s', (place) => {
  test('is answered once it has settled, and the model is aborted within a second', async () => {
    const client = clientAt(place);
    const { path, stream, call } = await halfWay();
    const askedAt = performance.now();
    const cancelled = client.post(`${path}/turns/it/cancel`, {});
    await call.aborted;
    expect(performance.now() - askedAt).toBeLessThan(1000);
    const { status, json } = await cancelled;
    expect(status).toBe(200);
    expect(json).toMatchObject({ turnId: 'it', state: 'CANCELLED', text: 'half an ', isBlocked: false });
    expect(json).not.toHaveProperty('messages');
    for (const reader of PLACES) {
      expect((await clientAt(reader).get(`${path}/turns/it`)).json).toEqual(json);
      expect((await clientAt(reader).get(path)).json).not.toHaveProperty('activeTurn');
      expect(await clientAt(reader).history(path)).toEqual([]);
    }
    await stream.done();
    expect(stream.types).toEqual(['turn.started', 'candidate.delta', 'turn.cancelled']);
    const { text: _text, ...rest } = json;
    expect(stream.terminal?.data).toMatchObject({ ...rest, candidates: [{ index: 0 }] });
  });

  test('keeps the half answer when that is wanted, and the next question follows it', async () => {
    const client = clientAt(place);
    const { path, stream } = await halfWay();
    const { json } = await client.post(`${path}/turns/it/cancel`, { keep: 'partial' });
    expect(json).toMatchObject({ state: 'CANCELLED', text: 'half an ', sessionVersion: 2 });
    await stream.done();
    expect(stream.terminal?.data.messages).toEqual(json.messages);
    expect(await client.history(path)).toEqual([
      ['user', 'hello'],
      ['bot', 'half an '],
    ]);
    const next = await client.post(`${path}/messages`, { message: '[quick]' });
    expect(next.json.state).toBe('COMMITTED');
    const { contents } = JSON.parse(replicas.upstream.calls.at(-1)?.body ?? '{}');
    expect(contents.map(({ parts }: { parts: { text: string }[] }) => parts[0]?.text)).toEqual([
      'hello',
      'half an ',
      '[quick]',
    ]);
  });

  test.each(['[call]', '[silent]'])(
    'keeps nothing when the model has said %s, and the session goes on',
    async (message) => {
      const client = clientAt(place);
      const path = await replicas.here.session();
      const stream = replicas.here.stream(path, { message, turnId: 'it' });
      await stream.until('it has come so far', ({ events }) => events.length >= (message === '[call]' ? 3 : 1));
      const { json } = await client.post(`${path}/turns/it/cancel`, { keep: 'partial' });
      expect(json.state).toBe('CANCELLED');
      expect(json).not.toHaveProperty('messages');
      expect(await client.history(path)).toEqual([]);
      expect((await client.post(`${path}/messages`, { message: '[quick]' })).json.state).toBe('COMMITTED');
      await stream.done();
    },
  );

  test('answers the same again, whatever is asked for then', async () => {
    const client = clientAt(place);
    const { path } = await halfWay();
    const bodies = [{ keep: 'none' }, {}, undefined, { keep: 'none' }];
    const answers = await Promise.all(bodies.map((body) => client.post(`${path}/turns/it/cancel`, body)));
    for (const keep of ['partial', 'none']) answers.push(await client.post(`${path}/turns/it/cancel`, { keep }));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await client.history(path)).toEqual([]);
    expect((await client.get(path)).json.usage.totalTokens).toBe(7);
  });

  test('leaves a turn that is over as it is', async () => {
    const client = clientAt(place);
    const path = await replicas.here.session();
    await replicas.here.post(`${path}/messages`, { message: '[quick]', turnId: 'it' });
    const before = await client.get(`${path}/turns/it`);
    const { status, text } = await client.post(`${path}/turns/it/cancel`, { keep: 'partial' });
    expect([status, text]).toEqual([200, before.text]);
    expect((await client.history(path)).length).toBe(2);
  });

  test('works before the first byte, by an id of its own, and answers its JSON send with 200 CANCELLED', async () => {
    const client = clientAt(place);
    const path = await replicas.here.session();
    const calls = replicas.upstream.calls.length;
    const answered = replicas.here.post(`${path}/messages`, { message: '[silent]', turnId: 'it' });
    await until('the model is asked', () => replicas.upstream.calls.length > calls);
    const cancelled = await client.post(`${path}/turns/it/cancel`);
    expect(cancelled.json).toMatchObject({ state: 'CANCELLED', text: '', candidates: [] });
    const { status, json } = await answered;
    expect([status, json]).toEqual([200, cancelled.json]);
    await replicas.upstream.calls.at(-1)?.aborted;
  });

  test('is a 404 for what does not exist, and for a session that was deleted', async () => {
    const client = clientAt(place);
    const { path, stream } = await halfWay();
    expect((await client.post(`${path}/turns/nobody/cancel`)).json).toMatchObject({
      status: 404,
      code: 'turn_not_found',
    });
    expect((await client.post('/v1/sessions/nobody/turns/it/cancel')).json.code).toBe('session_not_found');
    await client.delete(path);
    await stream.done();
    expect(stream.terminal?.event).toBe('turn.cancelled');
    expect((await client.post(`${path}/turns/it/cancel`)).json.code).toBe('session_not_found');
  });
});

describe('the request', () => {
  test('needs no body and no content type', async () => {
    const { path } = await halfWay();
    const url = `${path}/turns/it/cancel`;
    expect((await replicas.there.post(url, '', { 'content-type': 'application/json' })).json.state).toBe('CANCELLED');
    expect((await replicas.there.post(url)).status).toBe(200);
  });

  test.each([
    ['another word', { keep: 'some' }, 400],
    ['another field', { reason: 'no' }, 400],
    ['null', 'null', 400],
    ['a list', [], 400],
    ['no JSON', '{', 400],
  ])('with %s is refused, and the turn goes on', async (_what, body, status) => {
    const { path } = await halfWay();
    const refused = await replicas.here.post(`${path}/turns/it/cancel`, body);
    expect([refused.status, refused.json.code]).toEqual([status, 'invalid_argument']);
    expect((await replicas.there.get(`${path}/turns/it`)).json.state).toBe('RUNNING');
    await replicas.there.post(`${path}/turns/it/cancel`);
  });
});

test('a cancel and the end of the answer meet: both replicas tell the same end, and the history agrees', async () => {
  await using upstream = await startUpstream(async (response) => {
    asStream(response).write(event(said('all of it ')));
    await new Promise(setImmediate);
    response.end(event(said('', 'STOP')));
  });
  await using racing = await startReplicas(() => undefined, { env: { VERTEX_AI_EMULATOR_HOST: upstream.address } });
  const seen = new Set<string>();
  for (let round = 0; round < 30; round += 1) {
    const path = await racing.here.session();
    const stream = racing.here.stream(path, { message: 'hello', turnId: 'it' });
    if (round % 3 > 0) await stream.until('it is open', ({ status }) => status === 200);
    const keep = round % 2 === 0 ? 'none' : 'partial';
    const asked = racing.there.post(`${path}/turns/it/cancel`, { keep });
    const { json } = await asked;
    await stream.done();
    const { json: turn } = await racing.here.get(`${path}/turns/it`);
    seen.add(turn.state);
    if (json.code !== 'turn_not_found') expect(json).toEqual(turn);
    expect(stream.terminal?.data.state).toBe(turn.state);
    expect((await racing.there.history(path)).length).toBe(turn.messages ? 2 : 0);
    expect(turn.messages !== undefined).toBe(turn.state === 'COMMITTED' || (keep === 'partial' && turn.text !== ''));
  }
  expect([...seen].every((state) => ['COMMITTED', 'CANCELLED'].includes(state))).toBe(true);
});

test('a cancel whose message is lost is told with the next renewal', { timeout: 40_000 }, async () => {
  const server = await RedisServer.start();
  try {
    await using scene = await startReplicas(halfAnswer, { redisUrl: server.url, env: { LEASE_MS: '8000' } });
    const path = await scene.here.session();
    const stream = scene.here.stream(path, { message: 'hello', turnId: 'it' });
    await stream.until('half of the answer', () => stream.answer() !== '');
    const redis = server.client();
    // Nobody hears it: the producer's connection for messages is gone, and its channel cannot be joined again.
    await redis.call('ACL', 'SETUSER', 'default', 'resetchannels', '&*:meta');
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    redis.disconnect();
    const askedAt = performance.now();
    const { json } = await scene.there.post(`${path}/turns/it/cancel`);
    expect(json.state).toBe('CANCELLED');
    expect(performance.now() - askedAt).toBeLessThan(8000);
    await scene.upstream.calls[0]?.aborted;
    await stream.done();
    expect(stream.terminal?.event).toBe('turn.cancelled');
  } finally {
    await server.stop();
  }
});

test('a service without Redis cancels just as well', async () => {
  await using upstream = await startUpstream(halfAnswer);
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DEFAULT_MODEL: 'm' });
  const client = new Client(service.url);
  const path = await client.session();
  const stream = client.stream(path, { message: 'hello', turnId: 'it' });
  await stream.until('half of the answer', () => stream.answer() !== '');
  expect((await client.post(`${path}/turns/it/cancel`, { keep: 'partial' })).json.state).toBe('CANCELLED');
  expect((await client.history(path)).length).toBe(2);
  await stream.done();
});

test('an answer that the model refuses is not cancelled by who asks for it afterwards', async () => {
  await using upstream = await startUpstream((response) => {
    asJson(response, 400, { error: { code: 400, message: 'no', status: 'INVALID_ARGUMENT' } });
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DEFAULT_MODEL: 'm' });
  const client = new Client(service.url);
  const path = await client.session();
  await client.post(`${path}/messages`, { message: 'hello', turnId: 'it' });
  const { status, json } = await client.post(`${path}/turns/it/cancel`);
  expect([status, json.state]).toEqual([200, 'FAILED']);
});
