// A full `contextWindow` among what else can be in the way of a send, and when a turn has waited for its session.

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

afterEach(async () => {
  replicas.check();
  await replicas[Symbol.asyncDispose]();
});

const refusal = ({ status, json }: Pick<Answer, 'status' | 'json'>) => [status, json.code];

describe('what comes before a full window', () => {
  it('is a turn id that is taken, a version, a send that was made before', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 1 } });
    const key = { 'idempotency-key': 'k' };
    const first = await a.post(`${path}/messages`, { message: 'one', turnId: 'it' }, key);
    expect(first.json.state).toBe('COMMITTED');
    expect((await b.post(`${path}/messages`, { message: 'one', turnId: 'it' }, key)).json).toEqual(first.json);
    const send = (body: object, headers = {}) => b.post(`${path}/messages`, { message: 'two', ...body }, headers);
    expect(refusal(await send({}))).toEqual([409, 'history_full']);
    expect(refusal(await send({ turnId: 'it' }))).toEqual([409, 'turn_exists']);
    expect(refusal(await send({}, { 'if-match': '"1"' }))).toEqual([412, 'version_mismatch']);
    expect(refusal(await send({}, { 'if-match': '"2"', 'idempotency-key': 'other' }))).toEqual([409, 'history_full']);
    // What was refused before there was a turn is not remembered under its key.
    await a.patch(path, { contextWindow: null });
    expect((await send({}, { 'idempotency-key': 'other' })).json.state).toBe('COMMITTED');
  });

  it('is a turn that runs, unless the send would wait for it in vain', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 1 } });
    await a.post(`${path}/messages`, { message: 'one' });
    await a.patch(path, { contextWindow: null });
    const holder = a.stream(path, { message: 'hold', turnId: 'holder' });
    await holder.until('it runs', ({ events }) => events.length >= 2);
    await a.patch(path, { contextWindow: { maxMessages: 1 } });
    const outcomes = [];
    for (const onBusy of ['reject', 'enqueue', 'interrupt']) {
      outcomes.push(refusal(await b.post(`${path}/messages`, { message: 'two', onBusy })));
    }
    expect(outcomes).toEqual([
      [409, 'turn_in_progress'],
      [409, 'history_full'],
      [409, 'history_full'],
    ]);
    expect((await b.get(`${path}/turns/holder`)).json.state).toBe('RUNNING');
    await b.post(`${path}/turns/holder/cancel`);
    await holder.done();
  });
});

describe('a turn that waits', () => {
  it('fails when its time has come and it does not fit any more', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 3 } });
    const holder = a.stream(path, { message: 'hold', turnId: 'holder' });
    await holder.until('it runs', ({ events }) => events.length >= 2);
    const second = a.stream(path, { message: 'two', onBusy: 'enqueue' });
    await second.until('it waits', ({ types }) => types[0] === 'turn.queued');
    const third = b.stream(path, { message: 'three', onBusy: 'enqueue', turnId: 'third' });
    await third.until('it waits', ({ types }) => types[0] === 'turn.queued');
    const fourth = a.post(`${path}/messages`, { message: 'four', onBusy: 'enqueue', turnId: 'fourth' });
    await until('it waits', async () => (await b.get(`${path}/turns/fourth`)).json.state === 'QUEUED');
    await b.post(`${path}/turns/holder/cancel`, { keep: 'partial' });
    expect((await holder.done()).terminal?.event).toBe('turn.cancelled');
    expect((await second.done()).terminal?.event).toBe('turn.committed');
    await third.done();
    expect(third.types).toEqual(['turn.queued', 'turn.started', 'turn.failed']);
    expect(third.terminal?.data).toMatchObject({
      state: 'FAILED',
      candidates: [],
      sent: { messages: 0, omittedMessages: 0 },
      problem: { code: 'history_full', status: 409, retryable: false, instance: expect.stringContaining('third') },
    });
    expect((await a.get(`${path}/turns/third`)).json).toMatchObject(third.terminal?.data);
    expect(refusal(await fourth)).toEqual([409, 'history_full']);
    expect((await fourth).headers['turn-id']).toBe('fourth');
    expect(replicas.asked.map(({ contents }) => contents.length)).toEqual([1, 3]);
    expect((await b.get(path)).json).toMatchObject({ messageCount: 4 });
  });

  it('is trimmed to what fits when its time has come', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 3, onOverflow: 'trimOldest' } });
    const holder = a.stream(path, { message: 'hold', turnId: 'holder' });
    await holder.until('it runs', ({ events }) => events.length >= 2);
    const streams = [];
    for (const message of ['two', 'three']) {
      const stream = b.stream(path, { message, onBusy: 'enqueue' });
      await stream.until('it waits', ({ types }) => types[0] === 'turn.queued');
      streams.push(stream);
    }
    await b.post(`${path}/turns/holder/cancel`, { keep: 'partial' });
    for (const stream of streams) await stream.done();
    expect(streams.map(({ events }) => events[1]?.data.sent)).toEqual([
      { messages: 3, omittedMessages: 0 },
      { messages: 3, omittedMessages: 2 },
    ]);
    expect(replicas.askedTexts).toEqual(['two', 'TWO', 'three']);
  });
});
