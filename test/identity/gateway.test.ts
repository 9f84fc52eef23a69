// AUTH=gateway over HTTP: an identity header counts from the gateway alone.

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { startScene } from '../support/service-scene.ts';

const GATEWAY = { AUTH: 'gateway', TRUST_PROXY: '127.0.0.1/32' };
const user = (name: string) => ({ 'x-forwarded-user': name });

/** The status of a GET with exactly these header lines. */
async function rawStatus(url: string, ...lines: readonly string[]): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(
    `GET /v1/sessions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`,
  );
  return Number((await text(socket)).split(' ')[1]);
}

test('the header names the owner', async () => {
  await using scene = await startScene(GATEWAY);
  const { client } = scene;
  expect((await client.post('/v1/sessions', { id: 'hers' }, user('alice@example.com'))).status).toBe(201);
  expect((await client.get('/v1/sessions/hers', user('alice@example.com'))).status).toBe(200);
  expect((await client.get('/v1/sessions/hers', user('bob@example.com'))).status).toBe(404);
});

test('without it, or from elsewhere, nobody has said who calls', async () => {
  await using scene = await startScene(GATEWAY);
  const answer = await scene.client.get('/v1/sessions');
  expect(answer.status).toBe(401);
  expect(answer.headers['www-authenticate']).toBe('Gateway realm="chat-session-proxy"');
  await using elsewhere = await startScene({ ...GATEWAY, TRUST_PROXY: '10.0.0.0/8, ::2' });
  expect((await elsewhere.client.get('/v1/sessions', user('alice'))).status).toBe(401);
  // What the connection says counts, not what is said about it.
  const forwarded = {
    ...user('alice'),
    'x-forwarded-for': '10.0.0.1',
    'x-real-ip': '10.0.0.1',
    forwarded: 'for=10.0.0.1',
  };
  expect((await elsewhere.client.get('/v1/sessions', forwarded)).status).toBe(401);
});

describe('is refused:', () => {
  test.each([
    ['two owners', ['X-Forwarded-User: alice', 'X-Forwarded-User: bob']],
    ['the same owner twice', ['X-Forwarded-User: alice', 'x-forwarded-user: alice']],
    ['underscores beside hyphens', ['X-Forwarded-User: alice', 'X_Forwarded_User: bob']],
    ['underscores alone', ['X_Forwarded_User: alice']],
    ['an empty owner', ['X-Forwarded-User:  ']],
    ['an owner without an end', [`X-Forwarded-User: ${'a'.repeat(600)}`]],
    ['a key instead of an owner', ['Authorization: Bearer alice', 'X-Api-Key: alice']],
  ])('%s', async (_what, lines) => {
    await using scene = await startScene(GATEWAY);
    expect(await rawStatus(scene.service.url, ...lines)).toBe(401);
    expect(await rawStatus(scene.service.url, 'x-forwarded-user: alice')).toBe(200);
  });
});

test('with a secret, the address is not enough', async () => {
  await using scene = await startScene({ ...GATEWAY, GATEWAY_SECRET: 'between-us' });
  const status = async (headers: object) =>
    (await scene.client.get('/v1/sessions', { ...user('alice'), ...headers })).status;
  expect(await status({ 'x-gateway-secret': 'between-us' })).toBe(200);
  expect(await status({})).toBe(401);
  expect(await status({ 'x-gateway-secret': 'between-uS' })).toBe(401);
  expect(await status({ 'x-gateway-secret': '' })).toBe(401);
  const twice = ['X-Gateway-Secret: between-us', 'X-Gateway-Secret: between-us', 'X-Forwarded-User: alice'];
  expect(await rawStatus(scene.service.url, ...twice)).toBe(401);
  expect(scene.service.log()).not.toContain('between-us');
});

test('headers are as they are configured; scopes are taken where the gateway tells them', async () => {
  const names = { GATEWAY_OWNER_HEADER: 'X-Auth-Request-Email', GATEWAY_SCOPE_HEADER: 'X-Auth-Scopes' };
  await using scene = await startScene({ ...GATEWAY, ...names });
  const owner = { 'x-auth-request-email': 'alice' };
  const refused = await scene.client.post('/v1/sessions', {}, { ...owner, 'x-auth-scopes': 'read,more' });
  expect(refused.status).toBe(403);
  expect(refused.headers['www-authenticate']).toBe('Gateway realm="chat-session-proxy"');
  expect((await scene.client.post('/v1/sessions', {}, { ...owner, 'x-auth-scopes': 'other' })).status).toBe(201);
  expect((await scene.client.post('/v1/sessions', {}, { ...owner, 'x-auth-scopes': 'read chat' })).status).toBe(201);
  expect((await scene.client.get('/v1/sessions', user('alice'))).status).toBe(401);
});

test('a scope that is dropped on the way gives nothing, rather than everything', async () => {
  await using scene = await startScene({ ...GATEWAY, GATEWAY_SCOPE_HEADER: 'x-scopes' });
  for (const scopes of [{}, { 'x-scopes': '' }, { 'x-scopes': ' , ' }]) {
    expect((await scene.client.get('/v1/sessions', { ...user('alice'), ...scopes })).status).toBe(401);
  }
});

test('the log tells the operator what was wrong', async () => {
  await using scene = await startScene({ ...GATEWAY, GATEWAY_SECRET: 'between-us' });
  await scene.client.get('/v1/sessions', user('alice'));
  await scene.client.get('/v1/sessions', { 'x-gateway-secret': 'between-us' });
  const told = scene.service.logged().filter(({ msg }) => msg === 'request refused');
  expect(told.map(({ diagnosis }) => diagnosis)).toEqual([
    expect.stringContaining('x-gateway-secret'),
    expect.stringContaining('x-forwarded-user is not there'),
  ]);
});

test('a 401 does not tell which of it all was wrong', async () => {
  await using scene = await startScene({ ...GATEWAY, GATEWAY_SECRET: 'between-us' });
  const secret = { 'x-gateway-secret': 'between-us' };
  const texts = [{}, user('alice'), secret, { ...secret, 'x-forwarded-user': '' }, { 'x-gateway-secret': 'no' }].map(
    async (headers) => (await scene.client.get('/v1/sessions', headers)).text,
  );
  expect(new Set(await Promise.all(texts)).size).toBe(1);
});

test('owners that differ in a byte are two, also where the byte would be white space in another alphabet', async () => {
  await using scene = await startScene(GATEWAY);
  const [one, other] = ['\u00c3\u00a0', '\u00c3'].map((name) => user(name));
  expect((await scene.client.post('/v1/sessions', { id: 'hers' }, one)).status).toBe(201);
  expect((await scene.client.get('/v1/sessions/hers', other)).status).toBe(404);
});
