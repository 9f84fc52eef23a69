// The line of a busy session, attacked: names taken twice, sessions made anew, replicas that go, holders that stand still.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client, EventStream } from '../support/client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { asJson, asStream, event, said } from '../support/upstream.ts';

let replicas: Replicas;
let a: Client;
let b: Client;
let path: string;

type Body = { readonly contents: readonly { readonly parts: readonly { readonly text: string }[] }[] };
const questionOf = ({ body }: { readonly body: string }) => (JSON.parse(body) as Body).contents.at(-1)?.parts[0]?.text;
const asked = () => replicas.upstream.calls.map(questionOf);

/** `hold` is answered by half a sentence, everything else at once. */
async function start(env: Readonly<Record<string, string>> = {}) {
  replicas = await startReplicas(
    (response, call) => {
      const question = questionOf(call) ?? '';
      if (!call.isStream)
        return question === 'hold' ? undefined : asJson(response, 200, said(`to ${question}`, 'STOP'));
      asStream(response).write(event(said('to ')));
      return question === 'hold' ? undefined : response.end(event(said(question, 'STOP')));
    },
    { env },
  );
  ({ here: a, there: b } = replicas);
  path = await a.session();
}

beforeEach(() => start());
afterEach(() => replicas[Symbol.asyncDispose]());

async function held(): Promise<EventStream> {
  const stream = a.stream(path, { message: 'hold', turnId: 'holder' });
  await stream.until('it runs', ({ events }) => events.length >= 2);
  return stream;
}

const free = () => b.post(`${path}/turns/holder/cancel`);
const queued = (stream: EventStream) => stream.until('it waits', ({ types }) => types[0] === 'turn.queued');
const isQueued = async (turnId: string) => (await a.get(`${path}/turns/${turnId}`)).json.state === 'QUEUED';

describe('a turn in line', () => {
  it.each(['here', 'there'] as const)(
    'ends when its session is deleted and made anew at once, waiting %s',
    async (place) => {
      await held();
      const stream = replicas[place].stream(path, { message: 'two', onBusy: 'enqueue', turnId: 'two' });
      await queued(stream);
      const viewers = [a, b].map((client) => client.events(`${path}/turns/two/events`));
      for (const viewer of viewers) await viewer.until('it watches', ({ status }) => status === 200);
      const id = path.split('/').at(-1);
      await b.delete(path);
      expect((await a.post('/v1/sessions', { id, model: 'm' })).status).toBe(201);
      for (const one of [stream, ...viewers]) expect((await one.done()).terminal?.event).toBe('turn.cancelled');
      expect((await b.post(`${path}/messages`, { message: 'anew' })).json.text).toBe('to anew');
    },
  );

  it('has its id to itself, whoever asks for it', async () => {
    await held();
    const first = a.stream(path, { message: 'first', onBusy: 'enqueue', turnId: 'it' });
    await queued(first);
    for (const [index, onBusy] of ['reject', 'enqueue', 'interrupt'].entries()) {
      const headers = { 'idempotency-key': `k${index}` };
      const { status, json } = await b.post(`${path}/messages`, { message: 'second', onBusy, turnId: 'it' }, headers);
      expect([status, json.code]).toEqual([409, 'turn_exists']);
    }
    await free();
    expect((await first.done()).answer()).toBe('to first');
    expect(asked()).toEqual(['hold', 'first']);
  });
});

describe('those who interrupt', () => {
  it('end each other in the order in which they came, and the last is answered before who only waits', async () => {
    const holder = await held();
    const waiting = b.stream(path, { message: 'waits', onBusy: 'enqueue' });
    await queued(waiting);
    const bodies = ['hold', 'hold', 'last'].map((message, i) => ({ message, onBusy: 'interrupt', turnId: `i${i}` }));
    const turns = [];
    for (const body of bodies) {
      turns.push((turns.length % 2 ? a : b).post(`${path}/messages`, body));
      await until('it is known', async () => (await a.get(`${path}/turns/${body.turnId}`)).status === 200);
    }
    const states = (await Promise.all(turns)).map(({ json }) => json.state);
    expect(states).toEqual(['CANCELLED', 'CANCELLED', 'COMMITTED']);
    expect((await holder.done()).terminal?.event).toBe('turn.cancelled');
    expect((await waiting.done()).terminal?.event).toBe('turn.committed');
    expect(await a.history(path)).toEqual([
      ['user', 'last'],
      ['bot', 'to last'],
      ['user', 'waits'],
      ['bot', 'to waits'],
    ]);
  });
});

describe('a replica that is shut down', () => {
  /** Held open by a turn of its own. */
  async function closing() {
    const own = b.stream(await b.session(), { message: 'hold' });
    await own.until('it runs', ({ events }) => events.length >= 2);
    return replicas.services[1].close();
  }

  it('lets those go who watch a turn that waits elsewhere', async () => {
    await replicas[Symbol.asyncDispose]();
    await start({ DRAIN_MS: '4000' });
    await held();
    const stream = a.stream(path, { message: 'two', onBusy: 'enqueue', turnId: 'two' });
    await queued(stream);
    const viewer = b.events(`${path}/turns/two/events`);
    await viewer.until('it watches', ({ status }) => status === 200);
    const beganAt = performance.now();
    const closed = closing();
    await viewer.done();
    expect(performance.now() - beganAt).toBeLessThan(3000);
    expect([viewer.types, viewer.ending]).toEqual([[], 'end']);
    expect(await isQueued('two')).toBe(true);
    await closed;
    await a.post(`${path}/turns/holder/cancel`);
    await stream.done();
  });

  it('sends those away who wait for a turn elsewhere as JSON', async () => {
    await replicas[Symbol.asyncDispose]();
    await start({ DRAIN_MS: '4000' });
    const key = { 'idempotency-key': 'k' };
    const body = { message: 'hold', turnId: 'holder' };
    const first = a.post(`${path}/messages`, body, key);
    await until('it runs', async () => (await a.get(`${path}/turns/holder`)).status === 200);
    const again = b.post(`${path}/messages`, body, key);
    const closed = closing();
    const { status, json } = await again;
    expect([status, json.code, json.turnId]).toEqual([503, 'draining', undefined]);
    await a.post(`${path}/turns/holder/cancel`);
    expect((await first).json.state).toBe('CANCELLED');
    await closed;
  });
});
