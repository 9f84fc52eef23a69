// AUTH=api-key over HTTP: keys in a file and in Redis, made and taken away while the service runs.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newKey } from '../../src/identity/api-key-store.ts';
import { openApiKeys } from '../support/api-key-store.ts';
import { EventStream, send } from '../support/client.ts';
import { RedisServer } from '../support/redis-server.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'csp-keys-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const entry = (owner: string, key: string, more: object = {}) => ({
  owner,
  sha256: createHash('sha256').update(key).digest('hex'),
  ...more,
});

function keyFile(name: string, ...entries: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(entries));
  return path;
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const statusOf = async (scene: ServiceScene, headers: Readonly<Record<string, string>>) =>
  (await scene.client.get('/v1/sessions', headers)).status;

describe('with a file', () => {
  let scene: ServiceScene;

  beforeAll(async () => {
    const past = new Date(Date.now() - 1000).toISOString();
    const file = keyFile(
      'keys.json',
      entry('alice', 'alice-1'),
      entry('alice', 'alice-2', { scopes: ['chat', 'read'] }),
      entry('alice', 'alice-reads', { scopes: ['read'] }),
      entry('bob', 'bob-1', { scopes: [] }),
      entry('carol', 'carol-old', { expireTime: past }),
      entry('Дора', 'ключ'),
    );
    scene = await startScene({ AUTH: 'api-key', API_KEYS_FILE: file });
  });

  afterAll(() => scene[Symbol.asyncDispose]());

  test('all keys of an owner open the same sessions, and nobody else opens them', async () => {
    await scene.client.post('/v1/sessions', { id: 'hers' }, bearer('alice-1'));
    expect((await scene.client.get('/v1/sessions/hers', { 'x-api-key': 'alice-2' })).status).toBe(200);
    expect((await scene.client.get('/v1/sessions/hers', bearer('alice-reads'))).status).toBe(200);
    expect((await scene.client.get('/v1/sessions/hers', bearer('bob-1'))).status).toBe(404);
  });

  test('the same id is another session for every owner', async () => {
    for (const [key, context] of [
      ['alice-1', 'of alice'],
      ['bob-1', 'of bob'],
    ] as const) {
      expect((await scene.client.post('/v1/sessions', { id: 'same', context }, bearer(key))).status).toBe(201);
      const path = '/v1/sessions/same/messages';
      expect((await scene.client.post(path, { message: `asked ${context}` }, bearer(key))).status).toBe(200);
    }
    for (const [key, own] of [
      ['alice-1', 'of alice'],
      ['bob-1', 'of bob'],
    ] as const) {
      const session = await scene.client.get('/v1/sessions/same', bearer(key));
      expect(session.json.context).toBe(own);
      const { json } = await scene.client.get('/v1/sessions/same/messages', bearer(key));
      expect(json.messages.map(({ content }: { content: string }) => content)[0]).toBe(`asked ${own}`);
      expect(json.messages).toHaveLength(2);
    }
    expect((await scene.client.delete('/v1/sessions/same', bearer('alice-1'))).status).toBe(204);
    expect((await scene.client.get('/v1/sessions/same', bearer('bob-1'))).status).toBe(200);
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['no key', {}],
    ['a key that nobody has', bearer('mallory')],
    ['a key without its end', bearer('alice-')],
    ['the digest instead of the key', bearer(entry('alice', 'alice-1').sha256)],
    ['an expired key', bearer('carol-old')],
    ['another scheme', { authorization: `Basic ${Buffer.from('alice:alice-1').toString('base64')}` }],
    ['two keys in one header', { 'x-api-key': 'alice-1, bob-1' }],
    ['a key with hyphens that are none', { x_api_key: 'alice-1' }],
    ['a very long key', bearer('k'.repeat(2000))],
  ])('401 for %s', async (_what, headers) => {
    const { status, json, headers: answered } = await scene.client.get('/v1/sessions', headers);
    expect({ status, code: json.code }).toEqual({ status: 401, code: 'unauthenticated' });
    expect(answered['www-authenticate']).toMatch(/^Bearer realm="chat-session-proxy"/);
  });

  test('a key of other letters counts by its bytes', async () => {
    const bytes = Buffer.from('ключ').toString('latin1');
    expect(await statusOf(scene, { 'x-api-key': bytes })).toBe(200);
    expect(await statusOf(scene, bearer(bytes))).toBe(200);
  });

  test('who has sent nothing of ours is told what to send, who has, that it is not good', async () => {
    const challenge = async (headers: Readonly<Record<string, string>>) =>
      (await scene.client.get('/v1/sessions', headers)).headers['www-authenticate'];
    const plain = 'Bearer realm="chat-session-proxy"';
    expect(await challenge({})).toBe(plain);
    expect(await challenge({ authorization: 'Basic YTpi' })).toBe(plain);
    expect(await challenge(bearer('mallory'))).toBe(`${plain}, error="invalid_token"`);
  });

  test('a header that is sent twice is refused, whichever of the two is good', async () => {
    const answer = await send(`${scene.service.url}/v1/sessions`, 'GET', {
      headers: { 'X-Api-Key': 'alice-1', x_api_key: 'bob-1' },
    });
    expect(answer.status).toBe(401);
  });

  test('a key in the query is no key, and is not logged', async () => {
    expect((await scene.client.get('/v1/sessions?key=alice-2&access_token=alice-2')).status).toBe(401);
    expect(scene.service.log()).not.toContain('alice-2');
  });

  test('who reads cannot write', async () => {
    const headers = bearer('alice-reads');
    const refused = await scene.client.post('/v1/sessions', {}, headers);
    expect({ status: refused.status, code: refused.json.code }).toEqual({ status: 403, code: 'forbidden' });
    expect(refused.headers['www-authenticate']).toContain('insufficient_scope');
    expect(await statusOf(scene, headers)).toBe(200);
  });

  test('what is open stays open, and what is not there is not told to strangers', async () => {
    for (const path of ['/livez', '/readyz', '/openapi.yaml']) {
      expect((await scene.client.get(path)).status, path).toBe(200);
    }
    expect((await scene.client.get('/v1/nothing')).status).toBe(401);
    expect((await scene.client.get('/v1/nothing', bearer('alice-1'))).status).toBe(404);
  });
});

test('changes of the file count within five seconds; what cannot be read changes nothing', async () => {
  const file = keyFile('changing.json', entry('alice', 'one'));
  await using scene = await startScene({ AUTH: 'api-key', API_KEYS_FILE: file });
  expect(await statusOf(scene, bearer('one'))).toBe(200);
  keyFile('changing.json', entry('alice', 'two'));
  await until('the new key counts', async () => (await statusOf(scene, bearer('two'))) === 200, { deadlineMs: 5000 });
  expect(await statusOf(scene, bearer('one'))).toBe(401);
  writeFileSync(file, '[{"owner": "alice", "sha256":');
  await until('that was seen', () => scene.service.log().includes('file cannot be used'), { deadlineMs: 5000 });
  expect(await statusOf(scene, bearer('two'))).toBe(200);
  rmSync(file);
  await until('that was seen, too', () => scene.service.log().includes('ENOENT'), { deadlineMs: 5000 });
  expect(await statusOf(scene, bearer('two'))).toBe(200);
  keyFile('changing.json');
  await until('nobody is let in', async () => (await statusOf(scene, bearer('two'))) === 401, { deadlineMs: 5000 });
});

describe('with Redis', () => {
  test('keys are made and revoked while the service runs', async () => {
    const REDIS_KEY_PREFIX = uniquePrefix();
    const REDIS_URL = inject('redisUrl');
    const store = await openApiKeys(REDIS_URL, REDIS_KEY_PREFIX);
    await using scene = await startScene({ AUTH: 'api-key', REDIS_URL, REDIS_KEY_PREFIX });
    const { key, kept } = newKey({ owner: 'alice' }, Date.now());
    await until('the service is ready', async () => (await statusOf(scene, bearer(key))) === 401);
    await store.add(kept);
    await until('the key counts', async () => (await statusOf(scene, bearer(key))) === 200, { deadlineMs: 5000 });
    await store.remove([kept.sha256]);
    await until('it is gone', async () => (await statusOf(scene, bearer(key))) === 401, { deadlineMs: 5000 });
    store.close();
  });

  test('who calls cannot be told while Redis is away', async () => {
    const server = await RedisServer.start();
    await using scene = await startScene({ AUTH: 'api-key', REDIS_URL: server.url });
    await until('it is ready', async () => (await statusOf(scene, bearer('k'))) === 401);
    await server.stop();
    const answer = await scene.client.get('/v1/sessions', bearer('another'));
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 503, code: 'identity_unavailable' });
    expect((await scene.client.get('/livez')).status).toBe(200);
  });
});

describe('who watches', () => {
  test('is cut when the key is revoked, and the turn goes on', async () => {
    const file = keyFile('watching.json', entry('alice', 'stays'), entry('alice', 'goes'));
    await using scene = await startScene({ AUTH: 'api-key', API_KEYS_FILE: file, IDENTITY_RECHECK_MS: '100' });
    await scene.client.post('/v1/sessions', { id: 's' }, bearer('stays'));
    const url = `${scene.service.url}/v1/sessions/s/events`;
    const stays = new EventStream(url, { headers: bearer('stays') }, 'GET');
    const goes = new EventStream(url, { headers: bearer('goes') }, 'GET');
    for (const stream of [stays, goes]) await stream.until('it is open', ({ comments }) => comments.length > 0);
    keyFile('watching.json', entry('alice', 'stays'));
    await until('the one is cut', () => goes.ending === 'cut');
    await scene.client.post('/v1/sessions/s/messages', { message: 'hello' }, bearer('stays'));
    await stays.until('the other one reads on', ({ types }) => types.includes('turn.committed'));
    stays.hangUp();
  });

  test('is cut when the key has expired, also while nobody can be asked', async () => {
    const REDIS_KEY_PREFIX = uniquePrefix();
    const server = await RedisServer.start();
    const store = await openApiKeys(server.url, REDIS_KEY_PREFIX);
    const expireTime = new Date(Date.now() + 4000).toISOString();
    const { key, kept } = newKey({ owner: 'alice', expireTime }, Date.now());
    await store.add(kept);
    store.close();
    const env = { AUTH: 'api-key', REDIS_URL: server.url, REDIS_KEY_PREFIX, IDENTITY_RECHECK_MS: '100' };
    await using scene = await startScene(env);
    await until('it is ready', async () => (await statusOf(scene, bearer(key))) === 200);
    await scene.client.post('/v1/sessions', { id: 's' }, bearer(key));
    const stream = new EventStream(`${scene.service.url}/v1/sessions/s/events`, { headers: bearer(key) }, 'GET');
    await stream.until('it is open', ({ comments }) => comments.length > 0);
    await server.stop();
    await until('it is cut', () => stream.ending === 'cut');
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expireTime));
  });
});
