// How many turns and streams may be open at a time: of an owner, over replicas, and in one process.

import { describe, expect, it } from 'vitest';
import { Client, type EventStream } from '../support/client.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said, startUpstream } from '../support/upstream.ts';

interface Scene extends AsyncDisposable {
  readonly replicas: Replicas;
  /** Lets the model go on, everywhere, from now on. */
  release(): void;
}

/** Every answer begins, and ends when it may; of `quick` sessions at once. */
async function start(env: Readonly<Record<string, string>>): Promise<Scene> {
  const gate = Promise.withResolvers<void>();
  const replicas = await startReplicas(
    async (response, call) => {
      if (call.model === 'quick') return answer(response, call, 'quick');
      if (call.isStream) asStream(response).write(event(said('first ')));
      await Promise.race([gate.promise, call.aborted]);
      if (call.isStream) response.end(event(said('last', 'STOP')));
      else answer(response, call, 'last');
    },
    { env },
  );
  return {
    replicas,
    release: gate.resolve,
    async [Symbol.asyncDispose]() {
      gate.resolve();
      await replicas[Symbol.asyncDispose]();
    },
  };
}

async function streaming(client: Client, path: string, body: object = {}, headers: Record<string, string> = {}) {
  const stream = client.stream(path, { message: 'Hi', ...body }, headers);
  await stream.until('a delta', ({ events, status }) => events.length > 1 || status >= 400);
  return stream;
}

const refusalIn = ({ status, json, response }: EventStream) => ({
  status,
  code: json?.code,
  retryAfter: response?.headers['retry-after'],
});
const RATE_LIMITED = { status: 429, code: 'rate_limited', retryAfter: '1' };

describe('turns of an owner', () => {
  it('are limited over replicas, however they are sent, and free their places when they end', async () => {
    await using scene = await start({ MAX_TURNS_PER_OWNER: '3' });
    const { here, there } = scene.replicas;
    const paths = await Promise.all([1, 2, 3, 4].map(() => here.session()));
    const [one = '', two = '', three = '', four = ''] = paths;
    await streaming(here, one);
    await streaming(there, two);
    const third = await here.post(`${three}/messages`, { message: 'Hi' }, { prefer: 'respond-async' });
    expect(third.status).toBe(202);
    for (const client of [here, there]) {
      const refused = await client.post(`${four}/messages`, { message: 'Hi' });
      expect(refused.json).toMatchObject({ status: 429, code: 'rate_limited', retryable: true });
      expect(refused.json.detail).toContain('3 turns');
      expect(refused.headers['retry-after']).toBe('1');
      expect(refused.headers['turn-id']).toBeUndefined();
      expect(refusalIn(await client.stream(four, { message: 'Hi' }).done())).toEqual(RATE_LIMITED);
    }
    const quick = await there.session({ model: 'quick' });
    expect((await there.post(`${quick}/messages`, { message: 'Hi' })).status).toBe(429);
    expect((await here.get(`${four}/turns`)).json.turns).toEqual([]);
    scene.release();
    for (let i = 0; i < 5; i += 1) {
      await until(
        'there is room',
        async () => (await here.post(`${quick}/messages`, { message: 'Hi' })).status === 200,
      );
    }
  });

  it('hold their places when their clients have gone, and in line', async () => {
    await using scene = await start({ MAX_TURNS_PER_OWNER: '2' });
    const { here, there } = scene.replicas;
    const [one, two] = [await here.session(), await here.session()];
    const gone = await streaming(here, one);
    gone.hangUp();
    const queued = here.stream(one, { message: 'next', onBusy: 'enqueue' });
    await queued.until('it waits', ({ types }) => types.includes('turn.queued'));
    expect((await there.post(`${two}/messages`, { message: 'Hi' })).json.code).toBe('rate_limited');
    scene.release();
    await queued.done();
    expect(queued.terminal?.event).toBe('turn.committed');
    await until('there is room', async () => (await there.post(`${two}/messages`, { message: 'Hi' })).status === 200);
  });

  it('free their places however they end: cancelled, refused, failed, deleted, left in line', async () => {
    await using scene = await start({ MAX_TURNS_PER_OWNER: '1' });
    const { here, there } = scene.replicas;
    const isFree = async () => {
      const quick = await here.session({ model: 'quick' });
      await until(
        'there is room',
        async () => (await here.post(`${quick}/messages`, { message: 'Hi' })).status === 200,
      );
    };
    const path = await here.session();
    await streaming(here, path, { turnId: 'cancelled' });
    await there.post(`${path}/turns/cancelled/cancel`);
    await isFree();
    await streaming(here, path, { onDisconnect: 'cancel' }).then((stream) => stream.hangUp());
    await isFree();
    expect((await here.post(`${path}/messages`, { message: 'Hi' }, { 'if-match': '"99"' })).status).toBe(412);
    await isFree();
    expect((await here.post('/v1/sessions/none/messages', { message: 'Hi' })).status).toBe(404);
    await isFree();
    expect((await here.post(`${path}/messages`, { parts: [] })).status).toBe(400);
    await isFree();
    expect((await here.post(`${path}/turns/none/regenerate`, {})).status).toBe(404);
    await isFree();
    const doomed = await here.session();
    await streaming(here, doomed);
    await there.delete(doomed);
    await isFree();
  });

  it('that were asked for before are told again, also when there is no room for another', async () => {
    await using scene = await start({ MAX_TURNS_PER_OWNER: '1', MAX_STREAMS_PER_OWNER: '1', MAX_STREAMS: '1' });
    const { here, there } = scene.replicas;
    const path = await here.session();
    const key = { 'idempotency-key': 'k' };
    const first = await streaming(here, path, {}, key);
    const again = [await streaming(here, path, {}, key), await streaming(there, path, {}, key)];
    const other = await here.session();
    expect(refusalIn(await there.stream(other, { message: 'Hi' }, key).done())).toEqual(RATE_LIMITED);
    scene.release();
    await first.done();
    for (const stream of again) expect((await stream.done()).events).toEqual(first.events);
    const finished = await there.post(`${path}/messages`, { message: 'Hi' }, key);
    expect(finished.json).toMatchObject({ state: 'COMMITTED', text: 'first last' });
    // What was refused was not recorded: now the key begins a turn.
    const later = await until('there is room', async () => {
      const answered = await there.post(`${other}/messages`, { message: 'Hi' }, key);
      return answered.status === 200 ? answered : undefined;
    });
    expect(later.json.state).toBe('COMMITTED');
  });
});

describe('streams of an owner', () => {
  it('are limited over replicas, of all kinds together, and a refused one has begun nothing', async () => {
    await using scene = await start({ MAX_STREAMS_PER_OWNER: '3' });
    const { here, there } = scene.replicas;
    const [path, other] = [await here.session(), await here.session()];
    await streaming(here, path, { turnId: 'it' });
    const watching = there.events(`${path}/turns/it/events`);
    await watching.until('a delta', ({ events }) => events.length > 1);
    const following = there.events(`${other}/events`);
    await following.until('it is open', ({ comments }) => comments.length > 0);
    const refused = [
      here.stream(other, { message: 'Hi' }),
      there.events(`${path}/events`),
      here.events(`${path}/turns/it/events`),
    ];
    for (const stream of refused) {
      expect(refusalIn(await stream.done())).toEqual(RATE_LIMITED);
      expect(stream.json.detail).toContain('3 streams');
    }
    expect((await here.get(`${other}/turns`)).json.turns).toEqual([]);
    expect((await here.post(`${await here.session({ model: 'quick' })}/messages`, { message: 'Hi' })).status).toBe(200);
    following.hangUp();
    const next = await until('there is room', async () => {
      const stream = here.events(`${path}/turns/it/events`);
      await stream.until('it is answered', ({ status }) => status > 0);
      return stream.status === 200 ? stream : undefined;
    });
    scene.release();
    await next.done();
    expect(next.terminal?.event).toBe('turn.committed');
  });

  it('that are hung up free their places at once, before the model has said anything', async () => {
    const upstream = await startUpstream(() => undefined);
    const service = await startService({
      VERTEX_AI_EMULATOR_HOST: upstream.address,
      DEFAULT_MODEL: 'm',
      MAX_STREAMS: '4',
      MAX_STREAMS_PER_OWNER: '4',
      STREAM_HEADERS_DELAY_MS: '60000',
      DRAIN_MS: '0',
    });
    const client = new Client(service.url);
    for (let round = 1; round <= 3; round += 1) {
      const streams: EventStream[] = [];
      for (let i = 0; i < 4; i += 1) streams.push(client.stream(await client.session(), { message: 'Hi' }));
      await until('the model is asked', () => upstream.calls.length === 4 * round);
      const refused = await client.stream(await client.session(), { message: 'Hi' }).done();
      expect([429, 503]).toContain(refused.status);
      for (const stream of streams) stream.hangUp();
      await until('there is room', async () => {
        const stream = client.events(`${await client.session()}/events`);
        await stream.until('it is answered', ({ status }) => status > 0);
        stream.hangUp();
        return stream.status === 200;
      });
    }
    await service.close();
    await upstream.close();
  });
});

describe('streams of a process', () => {
  it('are limited whoever asks; another replica has places of its own', async () => {
    await using scene = await start({ MAX_STREAMS: '2' });
    const { here, there } = scene.replicas;
    const path = await here.session();
    const open = [here.events(`${path}/events`), here.events(`${path}/events`)];
    for (const stream of open) await stream.until('it is open', ({ comments }) => comments.length > 0);
    const refused = await here.stream(path, { message: 'Hi' }).done();
    expect(refusalIn(refused)).toEqual({ status: 503, code: 'overloaded', retryAfter: '2' });
    const elsewhere = there.events(`${path}/events`);
    await elsewhere.until('it is open', ({ comments }) => comments.length > 0);
    expect((await here.get(path)).status).toBe(200);
    for (const stream of open) stream.hangUp();
    const next = await until('there is room', async () => {
      const stream = await streaming(here, path);
      return stream.status === 200 ? stream : undefined;
    });
    scene.release();
    expect((await next.done()).terminal?.event).toBe('turn.committed');
  });
});
