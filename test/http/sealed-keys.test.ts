// Keys that change while the service runs, replicas that have other ones, and none at all.

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { sessionKeys } from '../../src/adapters/redis/keys.ts';
import { Client } from '../support/client.ts';
import { HistoryKeysFixture } from '../support/history-keys.ts';
import { type PlayedTurns, startPlayed } from '../support/played-turns.ts';
import { type RunningService, startService } from '../support/service.ts';
import { until } from '../support/until.ts';

const OWNER = 'anyone';

let redis: Redis;
let keys: HistoryKeysFixture;
let played: PlayedTurns;
beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());
beforeEach(async () => {
  keys = new HistoryKeysFixture();
  played = await startPlayed({ HISTORY_KEYS_FILE: keys.path });
});
afterEach(async () => {
  await played[Symbol.asyncDispose]();
  keys[Symbol.dispose]();
});

/** The name of the key that a session's own is wrapped with. */
async function wrappedWith(path: string): Promise<string> {
  const { meta } = sessionKeys(played.replicas.prefix, { owner: OWNER, sessionId: path.split('/')[3] ?? '' });
  const wrapped = (await redis.hgetBuffer(meta, 'sealkey')) ?? Buffer.alloc(2);
  return wrapped.toString('latin1', 2, 2 + (wrapped[1] ?? 0));
}

/** Both replicas have read the file again. */
async function rotate(current: string, ids: readonly string[]): Promise<void> {
  const readings = () => played.replicas.services.map((service) => read(service).length);
  const before = readings();
  keys.write(current, ids);
  await until('both replicas have read it', () => readings().every((count, i) => count > (before[i] ?? 0)), {
    deadlineMs: 5000,
  });
}

const read = (service: RunningService) =>
  service.logged().filter(({ msg }) => msg === 'HISTORY_KEYS_FILE: has been read again');
const alarmsOf = (service: RunningService) =>
  service.logged().filter(({ msg, level }) => level === 50 && msg.startsWith('HISTORY_KEYS_FILE:'));

/** One more replica over the same sessions. */
async function another(env: Readonly<Record<string, string>>) {
  const { prefix, upstream } = played.replicas;
  const service = await startService({
    REDIS_URL: inject('redisUrl'),
    REDIS_KEY_PREFIX: prefix,
    VERTEX_AI_EMULATOR_HOST: upstream.address,
    DEFAULT_MODEL: 'm',
    DRAIN_MS: '0',
    ...env,
  });
  const client = new Client(service.url);
  await until('it is ready', async () => (await client.get('/readyz')).status === 200);
  return { service, client, [Symbol.asyncDispose]: () => service.close() };
}

describe('a new current key', () => {
  test('wraps what is made or changed from then on, and the older one reads the rest', async () => {
    const { here, there } = played;
    const [changed, asked, left] = [await played.session(), await played.session(), await played.session()];
    for (const { path } of [changed, asked, left]) await here.post(`${path}/messages`, { message: 'before' });
    await rotate('k1', ['k1', 'k2']);
    expect(await wrappedWith((await played.session()).path)).toBe('k1');
    await rotate('k2', ['k1', 'k2']);
    expect(await wrappedWith((await played.session()).path)).toBe('k2');
    expect(await wrappedWith(changed.path)).toBe('k1');
    const { version } = (await there.get(changed.path)).json;
    expect((await here.patch(changed.path, { displayName: 'new' })).json.version).toBe(version + 1);
    await here.post(`${asked.path}/messages`, { message: 'after' });
    expect(await Promise.all([changed, asked, left].map(({ path }) => wrappedWith(path)))).toEqual(['k2', 'k2', 'k1']);
    expect((await there.get(`${asked.path}/messages`)).json.messages).toHaveLength(4);
    await rotate('k2', ['k2']);
    for (const { path } of [changed, asked])
      expect((await there.post(`${path}/messages`, { message: 'later' })).status).toBe(200);
    await using newer = await another({ HISTORY_KEYS_FILE: keys.path });
    expect((await newer.client.get(changed.path)).json.displayName).toBe('new');
    expect((await newer.client.get(left.path)).json.code).toBe('internal');
    expect((await newer.client.get('/v1/sessions')).json.code).toBe('internal');
    expect(alarmsOf(newer.service).map(({ reason }) => reason)).toContain(
      'is wrapped with k1, which is not among the keys',
    );
  });

  test('changes nothing of what was sent under an idempotency key', async () => {
    const { here, there } = played;
    const key = { 'idempotency-key': 'same' };
    const created = await here.post('/v1/sessions', { context: 'c' }, key);
    const path = `/v1/sessions/${created.json.id}`;
    const sent = await here.post(`${path}/messages`, { message: 'one' }, key);
    const forked = await here.post(`${path}/fork`, {}, key);
    await rotate('k2', ['k1', 'k2']);
    for (const client of [here, there]) {
      expect((await client.post('/v1/sessions', { context: 'c' }, key)).json.id).toBe(created.json.id);
      expect((await client.post('/v1/sessions', { context: 'other' }, key)).json.code).toBe('idempotency_mismatch');
      expect((await client.post(`${path}/messages`, { message: 'one' }, key)).json).toEqual(sent.json);
      expect((await client.post(`${path}/messages`, { message: 'two' }, key)).json.code).toBe('idempotency_mismatch');
      expect((await client.post(`${path}/fork`, {}, key)).json.id).toBe(forked.json.id);
    }
    expect((await here.get(path)).json.messageCount).toBe(2);
  });

  test('that is not read yet by one of two replicas makes one session of one key', async () => {
    keys.write('k1', ['k1', 'k2']);
    await using second = await another({ HISTORY_KEYS_FILE: keys.path });
    using others = new HistoryKeysFixture();
    others.writeText(JSON.stringify({ current: 'k2', keys: { k1: keys.keys.k1, k2: keys.keys.k2 } }));
    await using first = await another({ HISTORY_KEYS_FILE: others.path });
    const creations = Array.from({ length: 8 }, (_, i) =>
      (i % 2 ? first : second).client.post('/v1/sessions', { context: 'c' }, { 'idempotency-key': 'k' }),
    );
    const ids = (await Promise.all(creations)).map(({ status, json }) => `${status} ${json.id}`);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^201 /);
  });
});

test('a file that becomes useless changes nothing, and a warning says so', async () => {
  const [service] = played.replicas.services;
  keys.writeText('{');
  await until('it is said', () =>
    service.logged().some(({ msg, level }) => level === 40 && msg.startsWith('HISTORY_KEYS_FILE:')),
  );
  const { path } = await played.session({ displayName: 'still sealed' });
  expect(await wrappedWith(path)).toBe('k1');
  expect((await played.there.get(path)).json.displayName).toBe('still sealed');
  expect(service.log()).not.toContain(keys.keys.k1);
});

describe('a replica without keys', () => {
  test('answers nothing of what is sealed, and gives an alarm', async () => {
    const { here } = played;
    const { path } = await played.session({ displayName: 'sealed' });
    await here.stream(path, { message: 'said', turnId: 't' }).done();
    await using without = await another({ HISTORY_KEYS_FILE: '' });
    const { client, service } = without;
    const asked = [
      ...[path, '/v1/sessions', `${path}/messages`, `${path}/turns`, `${path}/turns/t`, `${path}/turns/t/events`],
    ];
    for (const one of [...asked, `${path}/events`]) {
      const before = alarmsOf(service).length;
      const answer = await client.get(one);
      expect([one, answer.status, answer.json?.code]).toEqual([one, 500, 'internal']);
      expect(alarmsOf(service).length).toBeGreaterThan(before);
    }
    const refused = await Promise.all([
      client.post(`${path}/messages`, { message: 'plain' }, { 'idempotency-key': 'k' }),
      client.post(`${path}/messages/import`, { messages: [{ author: 'bot', content: 'plain' }] }),
      client.patch(path, { displayName: 'plain' }),
    ]);
    expect(refused.map(({ json }) => json.code)).toEqual(['internal', 'internal', 'internal']);
    expect((await here.post(`${path}/messages`, { message: 'and on' })).json.state).toBe('COMMITTED');
  });

  test('keeps sessions of its own, which one with keys does not answer either', async () => {
    await using without = await another({ HISTORY_KEYS_FILE: '' });
    const path = await without.client.session({ displayName: 'plain' });
    await without.client.post(`${path}/messages`, { message: 'plain', turnId: 't' });
    const { here } = played;
    const [service] = played.replicas.services;
    for (const one of [path, '/v1/sessions', `${path}/messages`, `${path}/turns`, `${path}/turns/t`]) {
      const before = alarmsOf(service).length;
      expect([one, (await here.get(one)).json.code]).toEqual([one, 'internal']);
      expect(alarmsOf(service).length).toBeGreaterThan(before);
    }
    expect((await here.post(`${path}/messages`, { message: 'a' })).json.code).toBe('internal');
    expect((await without.client.post(`${path}/messages`, { message: 'and on' })).json.state).toBe('COMMITTED');
    expect((await here.delete(path)).status).toBe(204);
  });
});

test('a file that everybody can read is warned of at start', async () => {
  keys.writeText(JSON.stringify({ current: 'k1', keys: { k1: keys.keys.k1 } }), 0o644);
  await using open = await another({ HISTORY_KEYS_FILE: keys.path });
  expect(open.service.logged()).toContainEqual(
    expect.objectContaining({ level: 40, msg: expect.stringMatching(/^HISTORY_KEYS_FILE: everybody/) }),
  );
  expect(played.replicas.services[0].log()).not.toContain('everybody');
});

test('sessions in memory are sealed as well', async () => {
  await using service = await startService({ HISTORY_KEYS_FILE: keys.path });
  const client = new Client(service.url);
  const path = await client.session({ context: 'Be terse.' });
  expect((await client.post(`${path}/messages`, { message: 'hello' })).json.state).toBe('COMMITTED');
  expect(await client.history(path)).toHaveLength(2);
  expect(alarmsOf(service)).toEqual([]);
});
