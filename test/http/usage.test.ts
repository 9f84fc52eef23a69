// GET …/usage of a session, and of its owner by month, on two replicas: whatever became of the turns.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { asJson, asStream, event, said, type UpstreamCall } from '../support/upstream.ts';

/** As the wire reports it, and as we do. */
const REPORTED = {
  promptTokenCount: 5,
  candidatesTokenCount: 7,
  thoughtsTokenCount: 2,
  cachedContentTokenCount: 3,
  totalTokenCount: 14,
};
const USAGE = { promptTokens: 5, outputTokens: 7, thoughtTokens: 2, cachedTokens: 3, totalTokens: 14 };
const ZERO = { promptTokens: 0, outputTokens: 0, thoughtTokens: 0, cachedTokens: 0, totalTokens: 0 };

const times = (usage: typeof USAGE, n: number) => {
  return Object.fromEntries(Object.entries(usage).map(([kind, tokens]) => [kind, n * tokens]));
};
const ofState = (turns: number) => ({ turns, ...times(USAGE, turns) });

/** The newest question says what the model does. */
function reporting(response: Parameters<typeof asStream>[0], { body, isStream }: UpstreamCall) {
  const does = /\[(\w+)\](?![\s\S]*\[\w+\])/.exec(body)?.[1];
  const usageMetadata = REPORTED;
  if (does === 'refuse') return asJson(response, 500, { error: { code: 500, message: 'no', status: 'INTERNAL' } });
  const blocked = { promptFeedback: { blockReason: 'SAFETY' }, usageMetadata };
  const whole = { ...said('all of it', 'STOP'), ...(does === 'silent' ? {} : { usageMetadata }) };
  if (!isStream) return asJson(response, 200, does === 'block' ? blocked : whole);
  asStream(response).write(event({ ...said('half of '), usageMetadata }));
  // Cut before it has said that it finished; or it goes on for as long as it may.
  if (does === 'cut') response.end();
  else if (does !== 'hold') response.end(event(whole));
}

const startOwn = () => startReplicas(reporting, { env: { UPSTREAM_RETRIES_MAX: '0' } });

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startOwn();
});
afterAll(() => replicas[Symbol.asyncDispose]());

const monthNow = () => new Date().toISOString().slice(0, 7);

describe('the usage of a session', () => {
  test('is the sum of its turns by the state in which they ended, reported by whatever replica', async () => {
    const { here, there } = replicas;
    const path = await here.session();
    const send = (client: typeof here, message: string) => client.post(`${path}/messages`, { message });
    expect((await send(here, 'hello')).json).toMatchObject({ state: 'COMMITTED', usage: USAGE });
    expect((await send(there, 'hello again')).json.state).toBe('COMMITTED');
    expect((await send(there, '[block]')).json.state).toBe('BLOCKED');
    const cut = await here.stream(path, { message: '[cut]' }).done();
    expect(cut.terminal?.data).toMatchObject({ state: 'FAILED', usage: USAGE });
    expect((await send(here, '[refuse]')).json).toMatchObject({ status: 502, code: 'model_error' });
    const held = here.stream(path, { message: '[hold]', turnId: 'held' });
    await held.until('the first word', (stream) => stream.answer() !== '');
    const cancelled = await there.post(`${path}/turns/held/cancel`);
    expect(cancelled.json).toMatchObject({ state: 'CANCELLED', usage: USAGE });
    const { json, status } = await there.get(`${path}/usage`);
    expect(status).toBe(200);
    expect(json).toEqual({
      usage: times(USAGE, 5),
      byState: { COMMITTED: ofState(2), BLOCKED: ofState(1), FAILED: ofState(1), CANCELLED: ofState(1) },
    });
    expect((await here.get(`${path}/usage`)).json).toEqual(json);
    expect((await there.get(path)).json.usage).toEqual(json.usage);
  });

  test('is all zeros without a report', async () => {
    const { here, there } = replicas;
    const path = await here.session();
    await here.post(`${path}/messages`, { message: '[silent]' });
    await here.post(`${path}/messages`, { message: '[refuse]' });
    expect((await there.get(`${path}/usage`)).json).toEqual({ usage: ZERO, byState: {} });
  });

  test('counts what a cancelled turn had used, also when the half of it is kept', async () => {
    const { here, there } = replicas;
    const path = await here.session();
    const held = here.stream(path, { message: '[hold]', turnId: 'held' });
    await held.until('the first word', (stream) => stream.answer() !== '');
    await there.post(`${path}/turns/held/cancel`, { keep: 'partial' });
    expect((await there.get(path)).json.messageCount).toBe(2);
    expect((await there.get(`${path}/usage`)).json.byState).toEqual({ CANCELLED: ofState(1) });
  });

  test('of no session is a 404, and takes no query', async () => {
    const { here } = replicas;
    const path = await here.session();
    expect((await here.get('/v1/sessions/none/usage')).json).toMatchObject({ status: 404, code: 'session_not_found' });
    expect((await here.get(`${path}/usage?month=2026-01`)).json).toMatchObject({ code: 'invalid_argument' });
  });
});

describe('the usage of a month', () => {
  /** Read from the other replica, once so many turns have been counted. */
  const counted = ({ there }: Replicas, turns: number) =>
    until(`the month has ${turns} turns`, async () => {
      const { json } = await there.get('/v1/usage');
      return json.usage.totalTokens >= turns * USAGE.totalTokens ? json : undefined;
    });

  test('is that of all sessions, also of those that are deleted', async () => {
    await using own = await startOwn();
    const { here, there } = own;
    const paths = [await here.session(), await there.session()];
    for (const path of paths) await here.post(`${path}/messages`, { message: 'hello' });
    await there.post(`${paths[0]}/messages`, { message: '[block]' });
    for (const path of paths) await there.delete(path);
    const json = await counted(own, 3);
    expect(json).toMatchObject({
      usage: times(USAGE, 3),
      byState: { COMMITTED: ofState(2), BLOCKED: ofState(1) },
    });
    expect((await here.get(`/v1/usage?month=${json.month}`)).json).toEqual(json);
  });

  test('goes on when a session is made again, which begins at zero', async () => {
    await using own = await startOwn();
    const { here, there } = own;
    for (let life = 0; life < 2; life += 1) {
      const path = await here.session({ id: 'again' });
      expect((await there.get(`${path}/usage`)).json).toEqual({ usage: ZERO, byState: {} });
      await here.post(`${path}/messages`, { message: 'hello', turnId: 'it' });
      expect((await there.get(`${path}/usage`)).json.byState).toEqual({ COMMITTED: ofState(1) });
      await here.delete(path);
    }
    expect((await counted(own, 2)).byState).toEqual({ COMMITTED: ofState(2) });
  });

  test('is the current one unless another is named, and zero where nothing was used', async () => {
    const { there } = replicas;
    const from = monthNow();
    const { json } = await there.get('/v1/usage');
    expect([from, monthNow()]).toContain(json.month);
    const { json: past, status } = await there.get('/v1/usage?month=1999-12');
    expect(status).toBe(200);
    expect(past).toEqual({ month: '1999-12', usage: ZERO, byState: {} });
  });

  test.each(['2026-13', '2026-00', '2026', '2026-1', '2026-01-01', '26-01', 'now', ''])(
    '%j is no month',
    async (month) => {
      const { status, json } = await replicas.here.get(`/v1/usage?month=${month}`);
      expect(status).toBe(400);
      expect(json).toMatchObject({ code: 'invalid_argument', errors: [{ path: 'month' }] });
    },
  );

  test('takes no other query', async () => {
    const { status, json } = await replicas.here.get('/v1/usage?year=2026');
    expect(status).toBe(400);
    expect(json.code).toBe('invalid_argument');
  });
});
