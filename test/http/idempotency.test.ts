// Idempotency-Key and Prefer on sends: one turn and one call of the model, whatever a client sends again.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../support/client.ts';
import { type RunningService, startService } from '../support/service.ts';
import { answer, asJson, asStream, event, said, startUpstream, type Upstream } from '../support/upstream.ts';

let upstream: Upstream;
let service: RunningService;
let client: Client;
/** Answers that wait for the test. */
let gates: Map<string, PromiseWithResolvers<void>>;

beforeAll(async () => {
  gates = new Map();
  upstream = await startUpstream(async (response, call) => {
    const gate = gates.get(call.model);
    if (call.model.startsWith('bad')) return asJson(response, 400, { error: { code: 400, message: 'Never.' } });
    if (!call.isStream) {
      await gate?.promise;
      return answer(response, call, 'first last');
    }
    asStream(response).write(event(said('first ')));
    await gate?.promise;
    response.end(event(said('last', 'STOP')));
  });
  service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address });
  client = new Client(service.url);
});

afterAll(async () => {
  await service.close();
  await upstream.close();
});

let models = 0;
async function session(kind = 'm') {
  models += 1;
  const model = `${kind}-${models}`;
  const gate = Promise.withResolvers<void>();
  gates.set(model, gate);
  const path = await client.session({ model });
  return { path, model, open: gate.resolve, calls: () => upstream.calls.filter((call) => call.model === model).length };
}

const key = (value: string) => ({ 'idempotency-key': value });
const BODY = { message: 'Hi', temperature: 0 };

describe('the same send', () => {
  it('joins the turn that it began, and tells it from its beginning, while it runs and afterwards', async () => {
    const { path, open, calls } = await session();
    const first = client.stream(path, BODY, key('k'));
    await first.until('a delta', ({ events }) => events.length === 2);
    const second = client.stream(path, { temperature: 0, message: 'Hi' }, key('"k"'));
    await second.until('a delta', ({ events }) => events.length === 2);
    open();
    await Promise.all([first.done(), second.done()]);
    const third = await client.stream(path, BODY, key('k')).done();
    for (const again of [second, third]) expect(again.events).toEqual(first.events);
    for (const { response } of [second, third]) {
      expect(response?.headers['turn-id']).toBe(first.response?.headers['turn-id']);
      expect(response?.headers.location).toBe(first.response?.headers.location);
    }
    expect(calls()).toBe(1);
    expect(await client.history(path)).toHaveLength(2);
  });

  it('goes on from where its client has left off, and tells the end to who has seen it', async () => {
    const { path, open } = await session();
    open();
    const whole = await client.stream(path, BODY, key('k')).done();
    for (const [index, { id }] of whole.events.entries()) {
      const rest = await client.stream(path, BODY, { ...key('k'), 'last-event-id': id }).done();
      expect(rest.events).toEqual(whole.events.slice(Math.min(index + 1, whole.events.length - 1)));
    }
    expect(await client.stream(path, BODY, { ...key('k'), 'last-event-id': 'x' }).done()).toMatchObject({
      status: 400,
    });
  });

  it('waits for the one turn where JSON is wanted, on either route', async () => {
    const { path, open, calls } = await session();
    const [one, two] = [
      client.post(`${path}/messages`, BODY, key('k')),
      client.post(`${path}/messages`, BODY, key('k')),
    ];
    open();
    const turns = (await Promise.all([one, two])).map(({ status, json }) => [status, json.turnId, json.text]);
    expect(turns[0]).toEqual([200, turns[0]?.[1], 'first last']);
    expect(turns[1]).toEqual(turns[0]);
    const streamed = await client.stream(path, BODY, key('k')).done();
    expect(streamed.answer()).toBe('first last');
    expect(streamed.terminal?.data.turnId).toBe(turns[0]?.[1]);
    expect(calls()).toBe(1);
  });

  it('is answered as it was when it failed, also as a stream, and the model is not asked again', async () => {
    const { path, calls } = await session('bad');
    const first = await client.post(`${path}/messages`, BODY, key('k'));
    expect(first).toMatchObject({ status: 422, json: { detail: 'Never.' } });
    const again = await client.post(`${path}/messages`, BODY, key('k'));
    expect([again.status, again.json]).toEqual([first.status, first.json]);
    const streamed = await client.stream(path, BODY, key('k')).done();
    expect([streamed.status, streamed.json]).toEqual([first.status, first.json]);
    expect(calls()).toBe(1);
  });

  it('is told from its record when its events are gone', async () => {
    const { path, open } = await session();
    open();
    const first = await client.stream(path, BODY, key('k')).done();
    for (const message of ['a', 'b']) await client.post(`${path}/messages`, { message });
    const again = await client.stream(path, BODY, key('k')).done();
    expect(again.types).toEqual(['turn.started', 'candidate.delta', 'candidate.finished', 'turn.committed']);
    expect(again.answer()).toBe(first.answer());
    expect(again.terminal?.data).toEqual(first.terminal?.data);
  });

  it('is a 410 for who has seen some of its events, or all, when they are gone, and says where the turn is', async () => {
    const { path, open } = await session();
    open();
    const first = await client.stream(path, BODY, key('k')).done();
    for (const message of ['a', 'b']) await client.post(`${path}/messages`, { message });
    for (const { id } of first.events) {
      const again = await client.stream(path, BODY, { ...key('k'), 'last-event-id': id }).done();
      expect(again).toMatchObject({ status: 410, json: { code: 'log_expired' } });
      const turn = await client.get(String(again.response?.headers.location));
      expect(turn.json).toMatchObject({ state: 'COMMITTED', text: first.answer() });
    }
  });

  it('goes on where it was left off when it is told from its record', async () => {
    const { path, open } = await session();
    open();
    await client.stream(path, { ...BODY, turnId: 'it' }, key('k')).done();
    for (const message of ['a', 'b']) await client.post(`${path}/messages`, { message });
    const { events } = await client.stream(path, { ...BODY, turnId: 'it' }, key('k')).done();
    for (const [index, { id }] of events.entries()) {
      const seen = { 'last-event-id': id };
      const again = await client.stream(path, { ...BODY, turnId: 'it' }, { ...key('k'), ...seen }).done();
      const isLast = index === events.length - 1;
      expect(again.events).toEqual(events.slice(isLast ? -1 : index + 1));
      const viewed = await client.events(`${path}/turns/it/events`, seen).done();
      expect([viewed.status, viewed.events]).toEqual(isLast ? [204, []] : [200, again.events]);
    }
  });

  it('is not hindered by what has changed since: version, model, another turn that runs', async () => {
    const { path, open } = await session();
    open();
    const headers = { ...key('k'), 'if-match': '"1"' };
    const first = await client.post(`${path}/messages`, BODY, headers);
    await client.patch(path, { model: 'chat-bison', tools: [{}] });
    const again = await client.post(`${path}/messages`, BODY, headers);
    expect([again.status, again.json]).toEqual([200, first.json]);
  });
});

describe('another send', () => {
  it.each<[string, object]>([
    ['another message', { ...BODY, message: 'Ho' }],
    ['another setting', { ...BODY, temperature: 1 }],
    ['one field more', { ...BODY, topK: 1 }],
  ])('with the same key and %s is refused', async (_what, body) => {
    const { path, open } = await session();
    open();
    await client.post(`${path}/messages`, BODY, key('k'));
    const refused = await client.post(`${path}/messages`, body, key('k'));
    expect(refused).toMatchObject({ status: 422, json: { code: 'idempotency_mismatch', retryable: false } });
    expect(await client.stream(path, body, key('k')).done()).toMatchObject({ status: 422 });
  });

  it('without a key, or after a refusal, is a turn of its own', async () => {
    const { path, open, calls } = await session();
    open();
    const refused = await client.post(`${path}/messages`, BODY, { ...key('k'), 'if-match': '"9"' });
    expect(refused.status).toBe(412);
    await client.post(`${path}/messages`, { message: 'another' }, key('k'));
    for (let i = 0; i < 2; i += 1) await client.post(`${path}/messages`, BODY);
    expect(calls()).toBe(3);
  });

  it.each(['"a', '"', '"a"b"', '"a"b', '"a" b', '"a\\b"', '"a\\"', '"k";', '"k";P=1', '"k";p=', '"k", "l"'])(
    'with a key in quotes that is no structured string is refused: %j',
    async (value) => {
      const { path, open } = await session();
      open();
      const { status, json } = await client.post(`${path}/messages`, BODY, key(value));
      expect({ status, path: json.errors?.[0]?.path }).toEqual({ status: 400, path: 'idempotency-key' });
    },
  );

  it.each([
    ['"k"', 'k'],
    ['"k";p=1', 'k'],
    ['"k"; p="a;\\"b"; q', '"k"'],
    ['"a\\"\\\\b"', 'a"\\b'],
    ['k"', '"k\\""'],
    ['k;p=1', '"k;p=1"'],
  ])('is the same one with the key %s and the key %s', async (one, two) => {
    const { path, open, calls } = await session();
    open();
    const first = await client.post(`${path}/messages`, BODY, key(one));
    const second = await client.post(`${path}/messages`, BODY, key(two));
    expect([first.status, second.json.turnId]).toEqual([200, first.json.turnId]);
    expect(calls()).toBe(1);
  });

  it.each(['', ' ', '""', 'a b', 'x'.repeat(256), '\u00e4'])(
    'with a key that is none is refused: %j',
    async (value) => {
      const { path, open } = await session();
      open();
      const { status, json } = await client.post(`${path}/messages`, BODY, key(value));
      expect({ status, path: json.errors?.[0]?.path }).toEqual({ status: 400, path: 'idempotency-key' });
    },
  );
});

describe('Prefer: respond-async', () => {
  const async = { prefer: 'respond-async, wait=5' };

  it('answers with the running turn at once, which then goes on', async () => {
    const { path, open } = await session();
    const { status, json, headers } = await client.post(`${path}/messages`, BODY, async);
    expect({ status, state: json.state }).toEqual({ status: 202, state: 'RUNNING' });
    expect(headers).toMatchObject({ 'preference-applied': 'respond-async', 'turn-id': json.turnId });
    expect(headers.location).toBe(`${path}/turns/${json.turnId}`);
    open();
    const stream = await client.events(`${path}/turns/${json.turnId}/events`).done();
    expect(stream.terminal?.event).toBe('turn.committed');
    expect((await client.get(String(headers.location))).json).toMatchObject({ state: 'COMMITTED', text: 'first last' });
  });

  it('answers a finished turn of the same key as finished', async () => {
    const { path, open } = await session();
    open();
    const first = await client.post(`${path}/messages`, BODY, key('k'));
    const again = await client.post(`${path}/messages`, BODY, { ...key('k'), ...async });
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(again.headers).not.toHaveProperty('preference-applied');
  });

  it('is passed over when it asks for something else', async () => {
    const { path, open } = await session();
    open();
    expect((await client.post(`${path}/messages`, BODY, { prefer: 'respond-asynchronously' })).status).toBe(200);
  });
});

describe('the same creation', () => {
  const create = (body: object, headers: Readonly<Record<string, string>>) =>
    client.post('/v1/sessions', { model: 'm', ...body }, headers);

  it('makes one session, and answers with it again', async () => {
    const body = { context: 'You are terse.', metadata: { a: '1', b: '2' } };
    const first = await create(body, key('made-once'));
    const again = await create({ metadata: { b: '2', a: '1' }, context: 'You are terse.' }, key('"made-once"'));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json).toEqual(first.json);
    expect(again.headers.location).toBe(first.headers.location);
    expect(again.headers.etag).toBe(first.headers.etag);
  });

  it('is refused for other contents', async () => {
    await create({ context: 'one' }, key('other'));
    const { status, json } = await create({ context: 'two' }, key('other'));
    expect([status, json.code]).toEqual([422, 'idempotency_mismatch']);
  });

  it('without the header makes another session', async () => {
    const ids = [await create({}, {}), await create({}, {})].map(({ json }) => json.id);
    expect(new Set(ids).size).toBe(2);
  });

  it('is refused under a key that is none', async () => {
    const { status, json } = await create({}, key('x'.repeat(256)));
    expect([status, json.code, json.errors[0].path]).toEqual([400, 'invalid_argument', 'idempotency-key']);
  });
});
