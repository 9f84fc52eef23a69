// What a session leaves in Redis: nothing that lives for ever while it is there, and nothing at all once it is deleted or
// its time is over, whatever has been done with it.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { contentsUnder } from '../support/redis-contents.ts';
import { keysUnder } from '../support/redis-stores.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { answer, asJson, asStream, event, said } from '../support/upstream.ts';

let replicas: Replicas;
let redis: Redis;
beforeAll(async () => {
  replicas = await startReplicas((response, call) => {
    const { contents } = JSON.parse(call.body);
    const question = contents.at(-1).parts[0].text as string;
    if (question === 'hold') return asStream(response).write(event(said('half ')));
    if (question === 'fail') return asJson(response, 400, { error: { code: 400, status: 'INVALID_ARGUMENT' } });
    return answer(response, call, 'an answer');
  });
  redis = new Redis(inject('redisUrl'));
});
afterAll(async () => {
  redis.disconnect();
  await replicas[Symbol.asyncDispose]();
});

/** A session with which everything has been done that leaves something behind; a turn runs, and another waits for it. */
async function busySession(id: string, ttl: number) {
  const { here, there } = replicas;
  const key = (name: string) => ({ 'idempotency-key': `${id}-${name}` });
  const path = `/v1/sessions/${id}`;
  await here.post('/v1/sessions', { id, ttl, displayName: 'a name' }, key('create'));
  const first = (await here.post(`${path}/messages`, { message: 'one' }, key('send'))).json;
  const second = (await there.post(`${path}/turns/${first.turnId}/regenerate`, {}, key('again'))).json;
  await here.post(`${path}/turns/${second.turnId}/choose`, { candidate: 0 });
  await here.post(`${path}/messages/import`, { messages: [{ author: 'bot', content: 'by hand' }] }, key('import'));
  await here.post(`${path}/messages`, { message: 'fail' }, key('failed'));
  await here.post(`${path}/messages`, { message: 'two' });
  await here.post(`${path}/rewind`, { toLength: 3 });
  const running = here.stream(path, { message: 'hold' });
  await running.until('the answer has begun', ({ types }) => types.includes('candidate.delta'));
  const waiting = there.stream(path, { message: 'three', onBusy: 'enqueue' }, key('waits'));
  await waiting.until('it waits', ({ types }) => types.includes('turn.queued'));
  return { path, running, waiting };
}

/** Keys that belong to this session or to the calls that made it. */
async function keysOf(id: string): Promise<readonly string[]> {
  const keys = await keysUnder(redis, replicas.prefix);
  return [...keys].filter((key) => key.includes(`:${id}}`) || key.includes(':creation:'));
}

describe('a session', () => {
  test('has nothing in Redis without a time to live', async () => {
    const { path } = await busySession('dated', 600);
    const keys = await keysUnder(redis, replicas.prefix);
    expect(keys.length).toBeGreaterThan(8);
    for (const key of keys) expect(await redis.pttl(key), key).toBeGreaterThan(0);
    await replicas.here.delete(path);
  });

  test('leaves nothing behind when it is deleted, on any replica, while a turn runs and another waits', async () => {
    const { path, running, waiting } = await busySession('deleted', 600);
    expect(await keysOf('deleted')).not.toEqual([]);
    expect((await replicas.there.delete(path)).status).toBe(204);
    for (const stream of [running, waiting]) {
      await stream.done();
      expect(stream.terminal?.event).toBe('turn.cancelled');
    }
    await until('every trace is gone', async () => (await keysOf('deleted')).length === 0);
    const contents = Object.entries(await contentsUnder(redis, replicas.prefix));
    const telling = contents.filter(([, dump]) => Buffer.from(dump, 'base64').includes('deleted'));
    expect(telling.map(([name]) => name)).toEqual([]);
    expect((await replicas.here.get('/v1/sessions')).json.sessions).toEqual([]);
  });

  test('leaves nothing behind when its time is over, and the list of its owner heals', async () => {
    const { path, running, waiting } = await busySession('expired', 1);
    // Under a running turn it does not expire.
    const turnId = running.response?.headers['turn-id'];
    await replicas.here.post(`${path}/turns/${turnId}/cancel`, {});
    await Promise.all([running.done(), waiting.done()]);
    await until('it is gone', async () => (await replicas.there.get(path)).status === 404);
    const left = (await keysOf('expired')).filter((key) => !key.includes(':creation:'));
    expect(left).toEqual([]);
    expect((await replicas.here.get('/v1/sessions')).json.sessions).toEqual([]);
    expect((await keysUnder(redis, replicas.prefix)).filter((key) => key.endsWith(':sessions'))).toEqual([]);
  });
});
