// How many sessions an owner may have: made, forked, made again.

import { expect, test } from 'vitest';
import { startReplicas } from '../support/replicas.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { answer } from '../support/upstream.ts';

test('an owner has as many sessions as it may, over replicas, however they are made', async () => {
  await using replicas = await startReplicas((response, call) => answer(response, call, 'Hi'), {
    env: { MAX_SESSIONS_PER_OWNER: '3' },
  });
  const { here, there } = replicas;
  const path = await here.session();
  const key = { 'idempotency-key': 'k' };
  const made = await there.post('/v1/sessions', {}, key);
  expect((await there.post(`${path}/fork`, {}, key)).status).toBe(201);
  for (const refused of [
    await here.post('/v1/sessions', {}),
    await there.post('/v1/sessions', { id: 'mine' }, { 'idempotency-key': 'new' }),
    await here.post(`${path}/fork`, {}),
  ]) {
    expect(refused.json).toMatchObject({ status: 429, code: 'rate_limited', retryable: true });
    expect(refused.json.detail).toContain('3 sessions');
    expect(refused.headers['retry-after']).toBe('60');
  }
  expect((await here.get('/v1/sessions')).json.sessions).toHaveLength(3);
  expect((await here.post('/v1/sessions', {}, key)).json.id).toBe(made.json.id);
  expect((await here.post(`${path}/fork`, {}, key)).status).toBe(201);
  expect((await here.post('/v1/sessions', { id: made.json.id })).json.code).toBe('session_exists');
  expect((await here.post(`${path}/messages`, { message: 'Hi' })).status).toBe(200);
  await there.delete(path);
  await until('there is room', async () => (await here.post('/v1/sessions', {})).status === 201);
});

test('sessions that have expired make room', async () => {
  await using scene = await startScene({ MAX_SESSIONS_PER_OWNER: '1' });
  const { client } = scene;
  await client.post('/v1/sessions', { ttl: 1 });
  expect((await client.post('/v1/sessions', {})).status).toBe(429);
  await until('there is room', async () => (await client.post('/v1/sessions', {})).status === 201);
});
