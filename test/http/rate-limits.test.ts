// Requests in a minute, of owners and of addresses, over replicas; and what clients are told of it.

import { describe, expect, it, test } from 'vitest';
import { networkOf } from '../../src/http/rate-limits.ts';
import type { Answer } from '../support/client.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { RedisServer } from '../support/redis-server.ts';
import { startReplicas } from '../support/replicas.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { answer } from '../support/upstream.ts';

const POLICY = /^"owner";q=(\d+);w=60$/;
const STATE = /^"owner";r=(\d+);t=(\d+);a=(\d+);w=(\d+)$/;

/** The numbers of a header, or nothing. */
function numbers(header: unknown, form: RegExp): readonly number[] {
  return (form.exec(String(header)) ?? []).slice(1).map(Number);
}

function stateOf({ headers }: { headers: Answer['headers'] }) {
  const [quota] = numbers(headers['ratelimit-policy'], POLICY);
  const [remaining, resetS, available, windowS] = numbers(headers.ratelimit, STATE);
  return { quota, remaining, resetS, available, windowS };
}

describe('an owner', () => {
  it('is told on every answer what is allowed, and what is left of it: sessions, streams, problems', async () => {
    await using scene = await startScene({ RATE_LIMIT_PER_MINUTE: '100' });
    const { client } = scene;
    const created = await client.post('/v1/sessions', {});
    expect(stateOf(created)).toMatchObject({ quota: 100, remaining: 99, available: 99 });
    const stream = await client.stream(`/v1/sessions/${created.json.id}`, { message: 'Hi' }).done();
    expect(stateOf({ headers: stream.response?.headers ?? {} })).toMatchObject({ quota: 100, remaining: 98 });
    const bad = await client.post('/v1/sessions', { nonsense: 1 });
    expect(bad.status).toBe(400);
    expect(stateOf(bad)).toMatchObject({ quota: 100, remaining: 97 });
    const missing = await client.get('/v1/sessions/none');
    expect(missing.status).toBe(404);
    const { remaining, resetS = 0, windowS } = stateOf(missing);
    expect(remaining).toBe(96);
    // The oldest of these requests counts until all of its step lies a minute behind.
    expect(resetS).toBeGreaterThan(50);
    expect(resetS).toBeLessThanOrEqual(65);
    expect(windowS).toBe(resetS);
  });

  it('spends a request also on what he may not do, and on what is not there', async () => {
    const TRUST_PROXY = '127.0.0.1';
    const env = { AUTH: 'gateway', TRUST_PROXY, GATEWAY_SCOPE_HEADER: 'x-scope', RATE_LIMIT_PER_MINUTE: '3' };
    await using scene = await startScene(env);
    const reader = { 'x-forwarded-user': 'alice', 'x-scope': 'read' };
    const statuses = [
      await scene.client.post('/v1/sessions', {}, reader),
      await scene.client.get('/v1/nothing', reader),
      await scene.client.patch('/v1/sessions', {}, reader),
      await scene.client.get('/v1/nothing', reader),
    ].map(({ status }) => status);
    expect(statuses).toEqual([403, 404, 405, 429]);
    expect((await scene.client.get('/livez', reader)).status).toBe(200);
  });

  it('who asks too often is refused, and told when it is worth asking again', async () => {
    await using scene = await startScene({ RATE_LIMIT_PER_MINUTE: '3' });
    const { client } = scene;
    for (let i = 0; i < 3; i += 1) expect((await client.get('/v1/sessions')).status).toBe(200);
    const refused = await client.get('/v1/sessions');
    expect(refused.json).toMatchObject({ status: 429, code: 'rate_limited', retryable: true });
    expect(refused.headers['content-type']).toContain('application/problem+json');
    const retryAfterS = Number(refused.headers['retry-after']);
    expect(retryAfterS).toBeGreaterThan(50);
    expect(retryAfterS).toBeLessThanOrEqual(65);
    expect(stateOf(refused)).toMatchObject({ quota: 3, remaining: 0, resetS: retryAfterS });
    // A body that is not taken is not in the way of the refusal.
    const large = await client.post('/v1/sessions', { metadata: { a: 'x'.repeat(500_000) } });
    expect(large.json.code).toBe('rate_limited');
  });

  it('has nothing to do with probes and the document', async () => {
    await using scene = await startScene({ RATE_LIMIT_PER_MINUTE: '1' });
    const { client } = scene;
    await client.get('/v1/sessions');
    for (const [path, status] of [
      ['/livez', 200],
      ['/readyz', 200],
      ['/openapi.yaml', 200],
    ] as const) {
      const { headers, ...answered } = await client.get(path);
      expect([path, answered.status, headers.ratelimit]).toEqual([path, status, undefined]);
    }
    expect((await client.get('/v1/sessions')).status).toBe(429);
  });

  it('has the same limit on all replicas together, to the request', async () => {
    await using replicas = await startReplicas((response, call) => answer(response, call, 'Hi'), {
      env: { RATE_LIMIT_PER_MINUTE: '40' },
    });
    const { here, there } = replicas;
    const asked = Array.from({ length: 100 }, (_, i) => (i % 3 ? here : there).get('/v1/sessions'));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(statuses.filter((status) => status === 429)).toHaveLength(60);
  });
});

describe('an address', () => {
  it('is limited before it is known who asks, wherever it asks, but for probes', async () => {
    await using scene = await startScene({ RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '2', RATE_LIMIT_PER_MINUTE: '50' });
    const { client } = scene;
    const first = await client.get('/v1/sessions');
    expect(first.headers['ratelimit-policy']).toBe('"address";q=2;w=60, "owner";q=50;w=60');
    expect(first.headers.ratelimit).toMatch(/^"address";r=1;t=\d+;a=1;w=\d+, "owner";r=49;t=\d+;a=49;w=\d+$/);
    const elsewhere = await client.get('/nothing');
    expect(elsewhere.status).toBe(404);
    expect(elsewhere.headers.ratelimit).toMatch(/^"address";r=0;/);
    const refused = await client.get('/v1/sessions');
    expect(refused.json).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(refused.json.detail).toContain('address');
    expect(refused.headers['ratelimit-policy']).toBe('"address";q=2;w=60');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
    for (const probe of ['/livez', '/readyz']) expect((await client.get(probe)).status).toBe(200);
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:0001:2::6', '2001:db8:1:2'],
    ['2001:db8::', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
  ])('of %s is counted as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

test('a single caller on loopback without identity is not limited, and not told of limits', async () => {
  await using scene = await startScene();
  const asked = await Promise.all(Array.from({ length: 500 }, () => scene.client.get('/v1/sessions')));
  expect(asked.every(({ status, headers }) => status === 200 && headers.ratelimit === undefined)).toBe(true);
});

const AWAY = {
  RATE_LIMIT_PER_MINUTE: '1000',
  RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '1000',
  MAX_TURNS_PER_OWNER: '1000',
  MAX_STREAMS_PER_OWNER: '1000',
  MAX_SESSIONS_PER_OWNER: '1000',
  REDIS_COMMAND_TIMEOUT_MS: '700',
};

test.each(['cut', 'blackHole'] as const)(
  'when Redis is away (%s) nobody is limited, and what needs it says so as soon as without limits',
  async (kind) => {
    const redis = await RedisServer.start();
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port: Number(new URL(redis.url).port) });
    await using scene = await startScene({ ...AWAY, REDIS_URL: `redis://${proxy.address}` });
    const { client } = scene;
    await until('it is ready', async () => (await client.get('/readyz')).status === 200);
    const path = await client.session();
    proxy.inflict({ kind });
    for (const asked of [
      () => client.get(path),
      () => client.post(`${path}/messages`, { message: 'Hi' }),
      () => client.post(`${path}/messages/stream`, { message: 'Hi' }),
      () => client.get(`${path}/events`),
      () => client.post('/v1/sessions', {}),
      () => client.post(`${path}/fork`, {}),
    ]) {
      const startedAt = performance.now();
      const { status, json } = await asked();
      expect({ status, code: json?.code }).toEqual({ status: 503, code: 'store_unavailable' });
      // One command that is waited for in vain, and that of the limits before it; with patience for a busy machine.
      expect(performance.now() - startedAt).toBeLessThan(4000);
    }
    expect((await client.get('/livez')).status).toBe(200);
    expect(scene.service.log()).toContain('limits are not looked at');
    proxy.heal();
    await until('it is ready again', async () => (await client.get('/readyz')).status === 200);
    const limited = await until('limits are looked at again', async () => {
      const answered = await client.get(path);
      return answered.headers.ratelimit === undefined ? undefined : answered;
    });
    expect(limited.status).toBe(200);
    await scene.service.close();
    await proxy.stop();
    await redis.stop();
  },
);

test('when there never was a Redis nobody is limited either', async () => {
  await using scene = await startScene({ ...AWAY, REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  const answered = await scene.client.get('/v1/sessions');
  expect(answered.json).toMatchObject({ status: 503, code: 'store_unavailable' });
});
