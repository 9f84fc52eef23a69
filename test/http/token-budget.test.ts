// `tokenBudget` of a session, on two replicas over one Redis: no turn begins once it is spent.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, Client } from '../support/client.ts';
import { type ShoutingReplicas, startShouting } from '../support/shouting-model.ts';
import { until } from '../support/until.ts';

let replicas: ShoutingReplicas;
let a: Client;
let b: Client;

beforeEach(async () => {
  replicas = await startShouting();
  ({ here: a, there: b } = replicas);
});

afterEach(() => replicas[Symbol.asyncDispose]());

const refusal = ({ status, json }: Pick<Answer, 'status' | 'json'>) => [status, json.code];
const EXHAUSTED = [429, 'budget_exhausted'];

describe('a budget that is spent', () => {
  it('refuses every send, before the model is asked, and makes no turn', async () => {
    // The first answer costs 3 and 3 tokens, the second one 9 and 3.
    const path = await a.session({ tokenBudget: 18 });
    for (const message of ['one', 'two']) {
      expect((await b.post(`${path}/messages`, { message })).json.state).toBe('COMMITTED');
    }
    const before = (await a.get(path)).json;
    expect(before).toMatchObject({ tokenBudget: 18, usage: { totalTokens: 18 } });
    const refused = await a.post(`${path}/messages`, { message: 'three', turnId: 'it' });
    expect(refusal(refused)).toEqual(EXHAUSTED);
    expect(refused.json).toMatchObject({ retryable: false, detail: expect.stringContaining('18 tokens') });
    for (const header of ['turn-id', 'location', 'retry-after']) expect(refused.headers).not.toHaveProperty(header);
    expect(refusal(await b.stream(path, { message: 'three', turnId: 'it' }).done())).toEqual(EXHAUSTED);
    expect((await a.get(`${path}/turns/it`)).status).toBe(404);
    expect([(await a.get(path)).json, replicas.asked.length]).toEqual([before, 2]);
  });

  it('may be overdrawn by the turn that spends it: nothing is reserved', async () => {
    const path = await a.session({ tokenBudget: 1 });
    const { json } = await a.post(`${path}/messages`, { message: 'a longer question' });
    expect([json.state, json.usage.totalTokens]).toEqual(['COMMITTED', 34]);
    expect(refusal(await b.post(`${path}/messages`, { message: 'and' }))).toEqual(EXHAUSTED);
  });

  it('does not keep a send from being answered again, nor the session from being read, counted and rewound', async () => {
    const path = await a.session({ tokenBudget: 1 });
    const key = { 'idempotency-key': 'k' };
    const first = await a.post(`${path}/messages`, { message: 'one' }, key);
    expect((await b.post(`${path}/messages`, { message: 'one' }, key)).json).toEqual(first.json);
    expect(refusal(await b.post(`${path}/messages`, { message: 'one' }, { 'idempotency-key': 'k2' }))).toEqual(
      EXHAUSTED,
    );
    expect((await b.post(`${path}/count-tokens`, { message: 'x' })).json).toEqual({ totalTokens: 7 });
    expect((await b.post(`${path}/rewind`, { toLength: 0 })).status).toBe(200);
    // What was spent is spent.
    expect(refusal(await b.post(`${path}/messages`, { message: 'one' }))).toEqual(EXHAUSTED);
  });

  it('comes after the turn that runs, and after the version', async () => {
    const path = await a.session({ tokenBudget: 1 });
    await a.post(`${path}/messages`, { message: 'one' });
    const stale = await b.post(`${path}/messages`, { message: 'two' }, { 'if-match': '"1"' });
    expect(refusal(stale)).toEqual([412, 'version_mismatch']);
    await a.patch(path, { tokenBudget: 1000 });
    const holder = a.stream(path, { message: 'hold', turnId: 'holder' });
    await holder.until('it runs', ({ events }) => events.length >= 2);
    await a.patch(path, { tokenBudget: 1 });
    expect(refusal(await b.post(`${path}/messages`, { message: 'two' }))).toEqual([409, 'turn_in_progress']);
    await b.post(`${path}/turns/holder/cancel`);
    await holder.done();
  });
});

describe('a budget that is changed', () => {
  it('takes effect with the next turn, and ends when it is removed', async () => {
    const path = await a.session();
    await a.post(`${path}/messages`, { message: 'one' });
    const send = (client: Client) => client.post(`${path}/messages`, { message: 'two' });
    expect((await b.patch(path, { tokenBudget: 6 })).json.tokenBudget).toBe(6);
    expect(refusal(await send(a))).toEqual(EXHAUSTED);
    await b.patch(path, { tokenBudget: 7 });
    expect((await send(a)).json.state).toBe('COMMITTED');
    expect(refusal(await send(b))).toEqual(EXHAUSTED);
    expect((await a.patch(path, { tokenBudget: null })).json).not.toHaveProperty('tokenBudget');
    expect((await send(b)).json.state).toBe('COMMITTED');
  });
});

describe('a turn that waits', () => {
  it('fails when the budget is spent by the time it could begin', async () => {
    const path = await a.session({ tokenBudget: 6 });
    const holder = a.stream(path, { message: 'hold', turnId: 'holder' });
    await holder.until('it runs', ({ events }) => events.length >= 2);
    const second = b.stream(path, { message: 'two', onBusy: 'enqueue' });
    await second.until('it waits', ({ types }) => types[0] === 'turn.queued');
    const third = a.stream(path, { message: 'three', onBusy: 'enqueue', turnId: 'third' });
    await third.until('it waits', ({ types }) => types[0] === 'turn.queued');
    const fourth = b.post(`${path}/messages`, { message: 'four', onBusy: 'enqueue', turnId: 'fourth' });
    await until('it waits', async () => (await a.get(`${path}/turns/fourth`)).json.state === 'QUEUED');
    await b.post(`${path}/turns/holder/cancel`);
    await holder.done();
    expect((await second.done()).terminal?.event).toBe('turn.committed');
    expect((await third.done()).types).toEqual(['turn.queued', 'turn.failed']);
    expect(third.terminal?.data.problem).toMatchObject({ status: 429, code: 'budget_exhausted', retryable: false });
    expect((await b.get(`${path}/turns/third`)).json).toMatchObject(third.terminal?.data);
    expect(refusal(await fourth)).toEqual(EXHAUSTED);
    expect([(await fourth).headers['turn-id'], (await fourth).headers['retry-after']]).toEqual(['fourth', undefined]);
    expect(replicas.asked).toHaveLength(2);
    // The line is empty: the session is free.
    await a.patch(path, { tokenBudget: null });
    expect((await a.post(`${path}/messages`, { message: 'five' })).json.state).toBe('COMMITTED');
  });
});
