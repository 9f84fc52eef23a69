// AUTH=jwt over HTTP: good tokens, and every way in which one can be wrong.

import { createHmac, KeyObject, sign, type webcrypto } from 'node:crypto';
import { exportSPKI, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AUDIENCE, bearer, Issuer, newSigningKey } from '../support/issuer.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';

let issuer: Issuer;
let scene: ServiceScene;

beforeAll(async () => {
  issuer = await Issuer.start();
  issuer.keys = [...issuer.keys, await newSigningKey('other-algorithm', 'ES384')];
  scene = await startScene(issuer.env);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

const list = (token: string) => scene.client.get('/v1/sessions', bearer(token));
const nowS = () => Math.floor(Date.now() / 1000);

test('a token of the issuer for us lets its subject in', async () => {
  const alice = bearer(await issuer.token('alice'));
  const bob = bearer(await issuer.token('bob'));
  expect((await scene.client.post('/v1/sessions', { id: 'mine' }, alice)).status).toBe(201);
  expect((await scene.client.get('/v1/sessions/mine', alice)).status).toBe(200);
  expect((await scene.client.get('/v1/sessions/mine', bob)).status).toBe(404);
});

describe('is let in:', () => {
  test.each<[string, () => Promise<string>]>([
    ['an audience among others', () => issuer.token('a', { aud: ['other', AUDIENCE] })],
    ['less than a minute after it has expired', () => issuer.token('a', { exp: nowS() - 30 })],
    ['less than a minute before it is valid', () => issuer.token('a', { nbf: nowS() + 30, iat: nowS() + 30 })],
    ['scopes of others', () => issuer.token('a', { scope: 'openid profile' })],
    ['a key that is not named', () => issuer.token('a', {}, { header: { kid: undefined } })],
  ])('%s', async (_what, make) => {
    expect((await list(await make())).status).toBe(200);
  });
});

/** The parts of a token, by hand: what no library would make. */
function forged(header: object, claims: object, seal: (input: string) => string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value).replace('"1e999"', '1e999')).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${seal(input)}`;
}

/** With a good signature; what is written as `"1e999"` is a number. */
function forgedWell(claims: object, header: object = {}): string {
  const [key] = issuer.keys;
  if (!key) throw new Error('the issuer has no key');
  const privateKey = KeyObject.from(key.pair.privateKey);
  return forged({ alg: 'ES256', kid: 'first', ...header }, claims, (input) =>
    sign(null, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  );
}

const good = () => ({ iss: issuer.url, aud: AUDIENCE, sub: 'alice', iat: nowS(), exp: nowS() + 600 });

async function withPublicKeyAsSecret(format: 'pem' | 'jwk'): Promise<string> {
  const [key] = issuer.keys;
  if (!key) throw new Error('the issuer has no key');
  const spki = await exportSPKI((await importJWK(key.jwk, key.alg)) as webcrypto.CryptoKey);
  const secret = format === 'pem' ? spki : JSON.stringify(key.jwk);
  const seal = (input: string) => createHmac('sha256', secret).update(input).digest('base64url');
  return forged({ alg: 'HS256', kid: key.kid }, good(), seal);
}

describe('is refused:', () => {
  test.each<[string, () => Promise<string> | string]>([
    ['alg none', () => forged({ alg: 'none' }, good(), () => '')],
    ['alg none, oddly written', () => forged({ alg: 'nOnE', kid: 'first' }, good(), () => '')],
    ['a signature that was taken away', async () => (await issuer.token('alice')).replace(/[^.]+$/, '')],
    [
      'a signature of another token',
      async () => {
        const [header, , signature] = (await issuer.token('alice')).split('.');
        return [header, (await issuer.token('bob')).split('.')[1], signature].join('.');
      },
    ],
    ['the public key as a shared secret (PEM)', () => withPublicKeyAsSecret('pem')],
    ['the public key as a shared secret (JWK)', () => withPublicKeyAsSecret('jwk')],
    [
      'the key of somebody else under the known name',
      async () => issuer.token('alice', {}, { key: await newSigningKey('first') }),
    ],
    [
      'a key that the token brings along',
      async () => {
        const key = await newSigningKey('first');
        return issuer.token('alice', {}, { key, header: { jwk: key.jwk } });
      },
    ],
    [
      'a place for keys that the token names',
      async () => {
        const key = await newSigningKey('elsewhere');
        return issuer.token('alice', {}, { key, header: { jku: `${issuer.url}/other`, x5u: `${issuer.url}/other` } });
      },
    ],
    ['an algorithm that is not configured', () => issuer.token('alice', {}, { key: issuer.keys[1] })],
    ['an extension that must be understood', () => forgedWell(good(), { crit: ['exotic'], exotic: 1 })],
    ['another issuer', () => issuer.token('alice', { iss: 'https://issuer.example' })],
    ['the issuer with a slash too many', () => issuer.token('alice', { iss: `${issuer.url}/` })],
    ['no issuer', () => issuer.token('alice', { iss: undefined } as never)],
    ['another audience', () => issuer.token('alice', { aud: 'others' })],
    ['no audience', () => issuer.token('alice', { aud: undefined } as never)],
    ['expired', () => issuer.token('alice', { exp: nowS() - 90 })],
    ['no end', () => issuer.token('alice', { exp: undefined } as never)],
    ['an end that is no number', () => issuer.token('alice', { exp: '9999999999' } as never)],
    ['an end that never comes', () => forgedWell({ ...good(), exp: '1e999' })],
    ['made for logging out', () => issuer.token('alice', {}, { header: { typ: 'logout+jwt' } })],
    ['not valid yet', () => issuer.token('alice', { nbf: nowS() + 90 })],
    ['issued in the future', () => issuer.token('alice', { iat: nowS() + 90 })],
    ['no owner', () => issuer.token('alice', { sub: undefined } as never)],
    ['an empty owner', () => issuer.token('  ')],
    ['an owner that is no text', () => issuer.token('alice', { sub: 7 } as never)],
    ['an owner without an end', () => issuer.token('a'.repeat(513))],
    ['longer than 8 KB', () => issuer.token('alice', { more: 'x'.repeat(9000) })],
    ['encrypted', () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.a.b.c.d'],
    ['no token at all', () => 'csp_key'],
  ])('%s', async (_what, make) => {
    const { status, headers, json } = await list(await make());
    expect({ status, code: json.code }).toEqual({ status: 401, code: 'unauthenticated' });
    expect(headers['www-authenticate']).toBe('Bearer realm="chat-session-proxy", error="invalid_token"');
  });

  test.each([
    ['in the query', '/v1/sessions?access_token=TOKEN', {}],
    ['under another scheme', '/v1/sessions', { authorization: 'Basic TOKEN' }],
    ['in a cookie', '/v1/sessions', { cookie: 'access_token=TOKEN' }],
    ['in the header for keys', '/v1/sessions', { 'x-api-key': 'TOKEN' }],
  ])('a good token %s', async (_where, path, headers) => {
    const token = await issuer.token('alice');
    const filled = Object.entries(headers).map(([name, value]) => [name, value.replace('TOKEN', token)]);
    const answer = await scene.client.get(path.replace('TOKEN', token), Object.fromEntries(filled));
    expect(answer.status).toBe(401);
    expect(scene.service.log()).not.toContain(token);
  });
});

test('nothing of a token is logged or answered', async () => {
  const token = await issuer.token('alice', { exp: nowS() - 90 });
  const { text } = await list(token);
  for (const part of token.split('.')) {
    expect(text).not.toContain(part);
    expect(scene.service.log()).not.toContain(part);
  }
});

test('claims and audiences are as they are configured', async () => {
  await using other = await startScene({
    ...issuer.env,
    JWT_AUDIENCE: 'one, two',
    JWT_OWNER_CLAIM: 'email',
    JWT_SCOPE_CLAIM: 'permissions',
    JWT_HEADER: 'X-Goog-IAP-JWT-Assertion',
  });
  const call = (token: string) => ({ 'x-goog-iap-jwt-assertion': token, authorization: 'Bearer of-somebody-else' });
  const writer = call(await issuer.token('s', { aud: 'two', email: 'a@example.com' }));
  const reader = call(await issuer.token('t', { aud: 'one', email: 'a@example.com', permissions: ['read', 'more'] }));
  expect((await other.client.post('/v1/sessions', { id: 'mine' }, writer)).status).toBe(201);
  expect((await other.client.get('/v1/sessions/mine', reader)).status).toBe(200);
  expect((await other.client.post('/v1/sessions', {}, reader)).status).toBe(403);
  expect((await other.client.get('/v1/sessions', call(await issuer.token('s', { aud: 'one' })))).status).toBe(401);
});
