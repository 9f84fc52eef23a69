// onBusy: what a send does while another turn of its session runs, on two replicas over one Redis.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client, EventStream } from '../support/client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { asJson, asStream, event, type Script, said, type Upstream, type UpstreamCall } from '../support/upstream.ts';

let upstream: Upstream;
let replicas: Replicas;
let a: Client;
let b: Client;
let path: string;
/** Open answers, by their question. */
let gates: Map<string, PromiseWithResolvers<void>>;

const questionOf = ({ body }: UpstreamCall): string => JSON.parse(body).contents.at(-1).parts[0].text;

beforeEach(async () => {
  gates = new Map();
  const script: Script = async (response, call) => {
    const question = questionOf(call);
    const gate = question.startsWith('long') ? Promise.withResolvers<void>() : undefined;
    if (gate) gates.set(question, gate);
    if (!call.isStream) {
      await gate?.promise;
      return asJson(response, 200, said(`answer to ${question}`, 'STOP'));
    }
    asStream(response).write(event(said('answer to ')));
    await gate?.promise;
    response.end(event(said(question, 'STOP')));
  };
  replicas = await startReplicas(script, { env: { QUEUE_TURNS_MAX: '2' } });
  ({ upstream, here: a, there: b } = replicas);
  path = await a.session({ model: 'm' });
});

afterEach(async () => {
  for (const gate of gates.values()) gate.resolve();
  await replicas[Symbol.asyncDispose]();
});

/** A turn that runs until its gate is opened. */
async function running(question = 'long'): Promise<EventStream> {
  const stream = a.stream(path, { message: question });
  await stream.until('it runs', ({ events }) => events.length >= 2);
  return stream;
}

const queued = (stream: EventStream) => stream.until('it waits', ({ types }) => types[0] === 'turn.queued');

describe('enqueue', () => {
  it('waits in order, over replicas, and each turn sees those before it', async () => {
    const first = await running();
    const second = b.stream(path, { message: 'two', onBusy: 'enqueue' });
    await queued(second);
    const third = a.stream(path, { message: 'three', onBusy: 'enqueue' });
    await queued(third);
    expect([second, third].map(({ events }) => events[0]?.data.position)).toEqual([1, 2]);
    expect(upstream.calls).toHaveLength(1);
    gates.get('long')?.resolve();
    await Promise.all([first, second, third].map((stream) => stream.done()));
    for (const stream of [second, third]) {
      expect(stream.types).toEqual([
        'turn.queued',
        'turn.started',
        'candidate.delta',
        'candidate.delta',
        'candidate.finished',
        'turn.committed',
      ]);
    }
    expect((await b.history(path)).map(([, text]) => text)).toEqual([
      ...['long', 'answer to long', 'two', 'answer to two', 'three', 'answer to three'],
    ]);
    expect(JSON.parse(upstream.calls.at(-1)?.body ?? '').contents).toHaveLength(5);
  });

  it('is answered with the finished turn where JSON is wanted, or with the waiting one at once', async () => {
    await running();
    const waiting = b.post(`${path}/messages`, { message: 'two', onBusy: 'enqueue' });
    const body = { message: 'three', onBusy: 'enqueue', turnId: 'three' };
    const now = await a.post(`${path}/messages`, body, { prefer: 'respond-async' });
    expect(now).toMatchObject({ status: 202, json: { turnId: 'three', state: 'QUEUED', candidates: [] } });
    expect((await b.get(`${path}/turns/three`)).json.state).toBe('QUEUED');
    expect((await b.get(path)).json.activeTurn.turnId).not.toBe('three');
    gates.get('long')?.resolve();
    expect((await waiting).json).toMatchObject({ state: 'COMMITTED', text: 'answer to two' });
    const watched = await a.events(`${path}/turns/three/events`).done();
    expect(watched.terminal?.event).toBe('turn.committed');
  });

  it('begins at once when nobody runs', async () => {
    const stream = await a.stream(path, { message: 'one', onBusy: 'enqueue' }).done();
    expect(stream.types[0], stream.text).toBe('turn.started');
    expect(stream.terminal?.event).toBe('turn.committed');
  });

  it('has an end: 409 queue_full, with Retry-After', async () => {
    await running();
    for (const message of ['two', 'three']) await queued(b.stream(path, { message, onBusy: 'enqueue' }));
    const refused = await a.post(`${path}/messages`, { message: 'four', onBusy: 'enqueue' });
    expect(refused).toMatchObject({ status: 409, json: { code: 'queue_full', retryable: true } });
    expect(refused.headers['retry-after']).toMatch(/^\d+$/);
  });

  it('can be watched from its place in line on, by whoever comes, on any replica', async () => {
    await running();
    const stream = b.stream(path, { message: 'two', onBusy: 'enqueue', turnId: 'two' });
    await queued(stream);
    const viewers = [a, b].map((client) => client.events(`${path}/turns/two/events`));
    const resumed = a.events(`${path}/turns/two/events`, { 'last-event-id': String(stream.events[0]?.id) });
    await Promise.all([...viewers, resumed].map((viewer) => viewer.until('headers', ({ status }) => status === 200)));
    gates.get('long')?.resolve();
    await stream.done();
    for (const viewer of [...viewers, resumed]) {
      await viewer.done();
      expect(viewer.events).toEqual(stream.events.slice(1));
    }
  });

  it('can be cancelled while it waits, and leaves no trace in the history', async () => {
    const first = await running();
    const stream = b.stream(path, { message: 'two', onBusy: 'enqueue', turnId: 'two' });
    await queued(stream);
    const cancelled = await a.post(`${path}/turns/two/cancel`);
    expect(cancelled).toMatchObject({ status: 200, json: { turnId: 'two', state: 'CANCELLED' } });
    await stream.done();
    expect(stream.types).toEqual(['turn.queued', 'turn.cancelled']);
    expect((await b.post(`${path}/turns/two/cancel`)).json.state).toBe('CANCELLED');
    for (const client of [a, b]) {
      const seen = stream.events.map(({ id }) => ({ 'last-event-id': id }));
      for (const headers of [{}, seen[0]]) {
        const viewer = await client.events(`${path}/turns/two/events`, headers).done();
        expect(viewer.events).toEqual(stream.events.slice(1));
      }
      expect(await client.events(`${path}/turns/two/events`, seen[1]).done()).toMatchObject({ status: 204 });
    }
    gates.get('long')?.resolve();
    await first.done();
    expect(await a.history(path)).toHaveLength(2);
    expect(upstream.calls).toHaveLength(1);
  });

  it('gives its place up when its client goes, if that was wanted, and keeps it otherwise', async () => {
    await running();
    const gone = b.stream(path, { message: 'gone', onBusy: 'enqueue', onDisconnect: 'cancel', turnId: 'gone' });
    await queued(gone);
    const stays = b.stream(path, { message: 'stays', onBusy: 'enqueue', turnId: 'stays' });
    await queued(stays);
    gone.hangUp();
    stays.hangUp();
    const state = async (turnId: string) => (await a.get(`${path}/turns/${turnId}`)).json.state;
    await until('it is cancelled', async () => (await state('gone')) === 'CANCELLED');
    gates.get('long')?.resolve();
    await until('it is committed', async () => (await state('stays')) === 'COMMITTED');
  });

  it('is refused when its time has come and it does not fit any more', async () => {
    await running();
    const body = { message: 'two', onBusy: 'enqueue', turnId: 'two' };
    const waiting = b.post(`${path}/messages`, body, { 'if-match': '"1"' });
    await until('it waits', async () => (await a.get(`${path}/turns/two`)).json.state === 'QUEUED');
    gates.get('long')?.resolve();
    expect(await waiting).toMatchObject({ status: 412, json: { code: 'version_mismatch' } });
    expect(await a.history(path)).toHaveLength(2);
  });

  it('ends with the replica it waits on, and the line moves on', async () => {
    const first = await running();
    const stream = b.stream(path, { message: 'two', onBusy: 'enqueue' });
    await queued(stream);
    const behind = a.stream(path, { message: 'three', onBusy: 'enqueue' });
    await queued(behind);
    await replicas.services[1].close();
    await stream.done();
    expect(stream.terminal).toMatchObject({ event: 'turn.failed', data: { problem: { code: 'draining' } } });
    gates.get('long')?.resolve();
    await Promise.all([first.done(), behind.done()]);
    expect(behind.terminal?.event).toBe('turn.committed');
  });

  it('is cancelled with its session', async () => {
    const first = await running();
    const stream = b.stream(path, { message: 'two', onBusy: 'enqueue', turnId: 'two' });
    await queued(stream);
    const viewer = a.events(`${path}/turns/two/events`);
    await viewer.until('it watches', ({ status }) => status === 200);
    await a.delete(path);
    await Promise.all([first, stream, viewer].map((one) => one.done()));
    for (const { terminal } of [stream, viewer]) expect(terminal?.event).toBe('turn.cancelled');
  });
});

describe('interrupt', () => {
  it('ends the running turn, on whatever replica, and runs next', async () => {
    const first = await running();
    const waiting = b.stream(path, { message: 'waits', onBusy: 'enqueue' });
    await queued(waiting);
    const newer = await b.stream(path, { message: 'newer', onBusy: 'interrupt' }).done();
    expect(newer.types[0]).toBe('turn.started');
    expect(newer.terminal?.event).toBe('turn.committed');
    await first.done();
    expect(first.terminal?.event).toBe('turn.cancelled');
    await upstream.calls[0]?.aborted;
    await waiting.done();
    expect((await a.history(path)).map(([, text]) => text)).toEqual([
      ...['newer', 'answer to newer', 'waits', 'answer to waits'],
    ]);
  });

  it('is a send like any other when nobody runs', async () => {
    expect((await a.post(`${path}/messages`, { message: 'x', onBusy: 'interrupt' })).json.state).toBe('COMMITTED');
  });
});

describe('reject', () => {
  it('names who runs, or who is next', async () => {
    const first = await running();
    const { status, json, headers } = await b.post(`${path}/messages`, { message: 'x' });
    expect({ status, code: json.code, turnId: json.activeTurn.turnId }).toEqual({
      status: 409,
      code: 'turn_in_progress',
      turnId: first.events[0]?.data.turnId,
    });
    expect(headers['x-should-retry']).toBe('false');
  });
});
