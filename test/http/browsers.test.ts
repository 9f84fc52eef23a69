// What browsers are told: CORS for the origins on the list, headers against everything else, no simple requests of foreign
// pages.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EventStream, send } from '../support/client.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';

const APP = 'https://app.example';
const EVIL = 'https://app.example.evil.example';

let scene: ServiceScene;

beforeAll(async () => {
  scene = await startScene({ CORS_ORIGINS: `${APP},http://localhost:5173` });
});

afterAll(() => scene[Symbol.asyncDispose]());

const preflight = (path: string, origin: string, method = 'POST') =>
  send(`${scene.service.url}${path}`, 'OPTIONS', {
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization' },
  });
const listOf = (value: unknown) => String(value).toLowerCase().split(/, ?/);

test('a preflight is answered to everybody who is on the list, on every path', async () => {
  for (const path of ['/v1/sessions', '/v1/sessions/s/messages/stream', '/v1/sessions/s/turns/t/events']) {
    const { status, headers } = await preflight(path, APP);
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe(APP);
    expect(listOf(headers['access-control-allow-methods'])).toEqual(['get', 'post', 'patch', 'delete']);
    for (const name of [
      ...['authorization', 'content-type', 'idempotency-key', 'if-match', 'last-event-id', 'prefer', 'traceparent'],
    ]) {
      expect(listOf(headers['access-control-allow-headers'])).toContain(name);
    }
    expect(headers.vary).toMatch(/origin/i);
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  }
});

test.each([EVIL, 'http://app.example', 'https://app.example:8443', 'null', 'https://APP.example'])(
  '%s is not on the list',
  async (origin) => {
    expect((await preflight('/v1/sessions', origin)).headers['access-control-allow-origin']).toBeUndefined();
    const answer = await scene.client.get('/v1/sessions', { origin });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.headers.vary).toMatch(/origin/i);
  },
);

test('answers, problems and streams can be read, and what programs need of their headers', async () => {
  const headers = { origin: APP };
  const created = await scene.client.post('/v1/sessions', { id: 'c' }, headers);
  const missing = await scene.client.get('/v1/sessions/nothing', headers);
  const invalid = await scene.client.post('/v1/sessions', { id: '' }, headers);
  const unsupported = await scene.client.post('/v1/sessions', 'x', { ...headers, 'content-type': 'text/plain' });
  const unknown = await scene.client.get('/v1/nothing', headers);
  const stream = new EventStream(`${scene.service.url}/v1/sessions/c/events`, { headers }, 'GET');
  await stream.until('it is open', ({ comments }) => comments.length > 0);
  const all = [created, missing, invalid, unsupported, unknown, stream.response];
  expect([created, missing, invalid, unsupported, unknown].map(({ status }) => status)).toEqual([
    201, 404, 400, 415, 404,
  ]);
  for (const answer of all) {
    expect(answer?.headers['access-control-allow-origin']).toBe(APP);
    const exposed = listOf(answer?.headers['access-control-expose-headers']);
    for (const name of ['location', 'turn-id', 'etag', 'ratelimit', 'ratelimit-policy', 'retry-after']) {
      expect(exposed).toContain(name);
    }
  }
  stream.hangUp();
});

test('nothing is kept, sniffed, framed or run, whatever the answer is', async () => {
  const { client } = scene;
  const path = await client.session();
  const stream = await client.stream(path, { message: 'hello' }).done();
  const answers = [
    await client.get(path),
    await client.get('/v1/nothing'),
    await client.post('/v1/sessions', '{'),
    await client.get('/livez'),
    stream.response,
  ];
  for (const answer of answers) {
    expect(answer?.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(answer?.headers['cache-control']).toContain('no-store');
    expect(answer?.headers['strict-transport-security']).toBeUndefined();
  }
});

describe('a page of another origin', () => {
  const from = (site: string, origin?: string) => ({ 'sec-fetch-site': site, ...(origin ? { origin } : {}) });

  test.each([
    ['cross-site', EVIL],
    ['same-site', 'https://other.example'],
    ['cross-site', 'null'],
    ['cross-site', undefined],
  ])('(%s, %s) cannot change anything', async (site, origin) => {
    const path = await scene.client.session();
    const answers = [
      await scene.client.post('/v1/sessions', { id: 'by-a-page' }, from(site, origin)),
      await scene.client.delete(path, from(site, origin)),
      await send(`${scene.service.url}${path}/turns/t/cancel`, 'POST', { headers: from(site, origin) }),
    ];
    expect(answers.map(({ status, json }) => [status, json.code])).toEqual(Array(3).fill([403, 'forbidden']));
    expect((await scene.client.get('/v1/sessions/by-a-page')).status).toBe(404);
    expect((await scene.client.get(path)).status).toBe(200);
  });

  test.each([
    ['cross-site', APP],
    ['same-site', 'http://localhost:5173'],
    ['same-origin', 'https://gateway.example'],
    ['none', undefined],
  ])('(%s, %s) that is on the list, or no other one, can', async (site, origin) => {
    expect((await scene.client.post('/v1/sessions', {}, from(site, origin))).status).toBe(201);
  });
});

test('without a list no page is let in, and OPTIONS is a method that nothing takes', async () => {
  await using closed = await startScene();
  const answer = await send(`${closed.service.url}/v1/sessions`, 'OPTIONS', {
    headers: { origin: APP, 'access-control-request-method': 'POST' },
  });
  expect(answer.status).toBe(405);
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
});

test('a preflight needs no identity; the request behind it does', async () => {
  await using guarded = await startScene({ AUTH: 'gateway', TRUST_PROXY: '10.0.0.0/8', CORS_ORIGINS: APP });
  const options = { headers: { origin: APP, 'access-control-request-method': 'POST' } };
  const asked = await send(`${guarded.service.url}/v1/sessions`, 'OPTIONS', options);
  expect(asked.status).toBe(204);
  // Behind a gateway it is a cookie that says who calls.
  expect(asked.headers['access-control-allow-credentials']).toBe('true');
  const refused = await guarded.client.post('/v1/sessions', {}, { origin: APP });
  expect(refused.status).toBe(401);
  expect(refused.headers['access-control-allow-origin']).toBe(APP);
});

describe('a name that leads to this machine', () => {
  const at = (service: ServiceScene, host: string) => service.client.get('/v1/sessions', { host });

  test.each(['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example.'])(
    '%s is refused where nobody has said who may call',
    async (host) => {
      const answer = await at(scene, host);
      expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 403, code: 'forbidden' });
      expect((await scene.client.get('/livez', { host })).status).toBe(200);
    },
  );

  test.each(['localhost', 'localhost:8080', '127.0.0.1:1', '[::1]:8080', 'chat', 'app.localhost:3000'])(
    '%s is taken, as nobody else can have it',
    async (host) => {
      expect((await at(scene, host)).status).toBe(200);
    },
  );

  test('is any name once AUTH is written out', async () => {
    await using open = await startScene({ AUTH: 'none' });
    expect((await at(open, 'chat.example')).status).toBe(200);
  });
});

describe('a page in a browser that does not say where it comes from', () => {
  const cancel = (headers: Readonly<Record<string, string>>) =>
    send(`${scene.service.url}/v1/sessions/x/turns/t/cancel`, 'POST', { headers });

  test('cannot do what needs no preflight', async () => {
    for (const origin of [EVIL, 'null', 'https://localhost.evil.example']) {
      expect((await cancel({ origin })).status, origin).toBe(403);
    }
  });

  test('can when it is ours, or on the list, or had to ask first', async () => {
    const { host } = new URL(scene.service.url);
    for (const headers of [
      { origin: `http://${host}` },
      { origin: APP },
      {},
      { origin: EVIL, authorization: 'Bearer k' },
    ]) {
      expect((await cancel(headers as Record<string, string>)).status).toBe(404);
    }
  });
});
