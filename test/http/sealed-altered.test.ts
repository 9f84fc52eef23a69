// What somebody has changed in Redis, moved elsewhere, or put there as it is: a 500 and an alarm, in a list as well, and never
// passed over.

import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { sessionKeys } from '../../src/adapters/redis/keys.ts';
import type { Client } from '../support/client.ts';
import { HistoryKeysFixture } from '../support/history-keys.ts';
import { held, type PlayedSession, type PlayedTurns, saysParts, startPlayed } from '../support/played-turns.ts';
import type { RunningService } from '../support/service.ts';
import { until } from '../support/until.ts';

const OWNER = 'anyone';

let keys: HistoryKeysFixture;
let played: PlayedTurns;
let redis: Redis;
beforeAll(async () => {
  keys = new HistoryKeysFixture();
  played = await startPlayed({ HISTORY_KEYS_FILE: keys.path, FINISH_BUDGET_MS: '300', HEARTBEAT_MS: '300' });
  redis = new Redis(inject('redisUrl'));
});
afterAll(async () => {
  redis.disconnect();
  await played[Symbol.asyncDispose]();
  keys[Symbol.dispose]();
});

const idIn = (path: string) => path.split('/')[3] ?? '';
const keysOf = (path: string) => sessionKeys(played.replicas.prefix, { owner: OWNER, sessionId: idIn(path) });

/** The alarms about a session, of one replica: what could not be read, and why. */
function alarms({ logged }: RunningService, path: string): readonly string[] {
  return logged()
    .filter(
      ({ msg, level, sessionId }) => level === 50 && msg.startsWith('HISTORY_KEYS_FILE:') && sessionId === idIn(path),
    )
    .map(({ record, reason }) => `${record} ${reason}`);
}

/** Answers a request with nothing but that it failed, and says on this replica what cannot be read. */
async function expectAlarm(
  path: string,
  record: RegExp,
  ask: (client: Client) => Promise<{ status: number; json: unknown }>,
) {
  const [, service] = played.replicas.services;
  const before = alarms(service, path).length;
  const { status, json } = await ask(played.there);
  expect([status, json]).toEqual([500, expect.objectContaining({ code: 'internal' })]);
  expect((json as { detail: string }).detail).toBe('The service failed unexpectedly.');
  const said = alarms(service, path).slice(before);
  expect(said.length).toBeGreaterThan(0);
  for (const alarm of said) expect(alarm).toMatch(record);
}

function flipped(record: Buffer | null | undefined, at = -1): Buffer {
  if (!record) throw new Error('there is a record');
  const other = Buffer.from(record);
  const index = at < 0 ? other.length + at : at;
  other[index] = (other[index] ?? 0) ^ 1;
  return other;
}

async function alterField(
  key: string,
  field: string,
  alter: (value: Buffer) => Buffer | string,
): Promise<() => Promise<unknown>> {
  const value = await redis.hgetBuffer(key, field);
  if (!value) throw new Error(`there is no ${field}`);
  await redis.hset(key, field, alter(value));
  return () => redis.hset(key, field, value);
}

async function alterMessage(
  path: string,
  at: number,
  alter: (value: Buffer) => Buffer | string,
): Promise<() => Promise<unknown>> {
  const { history } = keysOf(path);
  const value = await redis.lindexBuffer(history, at);
  if (!value) throw new Error('there is no such message');
  await redis.lset(history, at, alter(value));
  return () => redis.lset(history, at, value);
}

/** Two turns, the second of which has two candidates. */
async function talked(given: object = {}): Promise<PlayedSession & { readonly turnId: string }> {
  const session = await played.session({ displayName: 'sealed', ...given });
  await played.here.post(`${session.path}/messages`, { message: 'first' });
  session.plays(saysParts([{ text: 'one' }], [{ text: 'other' }]));
  const { json } = await played.here.post(`${session.path}/messages`, { message: 'second', candidateCount: 2 });
  return { path: session.path, plays: session.plays, calls: session.calls, asked: session.asked, turnId: json.turnId };
}

/** That everything is well again. */
async function expectWell(path: string): Promise<void> {
  expect((await played.there.post(`${path}/messages`, { message: 'and now?' })).json.state).toBe('COMMITTED');
}

describe('a configuration that was altered', () => {
  test.each<[string, (config: Buffer) => Buffer | string]>([
    ['by a bit of its end', (config) => flipped(config)],
    ['by a bit of its beginning', (config) => flipped(config, 0)],
    ['by a bit of its seal', (config) => flipped(config, 5)],
    ['by a bit of its nonce', (config) => flipped(config, 14)],
    ['by a bit in its midst', (config) => flipped(config, 30)],
    ['to nothing', () => ''],
    ['to half of it', (config) => config.subarray(0, config.length / 2)],
    ['to one that is not sealed', () => '{"model":"m","context":"as I like"}'],
  ])('%s fails every operation of the session, and the list of sessions', async (_how, alter) => {
    const { path } = await talked();
    await talked();
    const restore = await alterField(keysOf(path).meta, 'config', alter);
    await expectAlarm(path, /^config /, (client) => client.get(path));
    await expectAlarm(path, /^config /, (client) => client.get('/v1/sessions'));
    await expectAlarm(path, /^config /, (client) => client.post(`${path}/messages`, { message: 'a' }));
    await expectAlarm(path, /^config /, (client) => client.patch(path, { displayName: 'b' }));
    await expectAlarm(path, /^config /, (client) => client.post(`${path}/fork`, {}));
    await expectAlarm(path, /^config /, (client) => client.post(`${path}/count-tokens`, {}));
    await restore();
    await expectWell(path);
  });
});

describe('the key of a session that was altered', () => {
  test.each<[string, string, (value: Buffer) => Buffer | string]>([
    ['by a bit of its end', 'sealkey', (value) => flipped(value)],
    ['to another name', 'sealkey', (value) => flipped(value, 3)],
    ['to nothing', 'sealkey', () => ''],
    ['in the id of its seal', 'seal', (value) => flipped(value, 3)],
  ])('%s fails the session and the list', async (_how, field, alter) => {
    const { path } = await talked();
    const restore = await alterField(keysOf(path).meta, field, alter);
    await expectAlarm(path, /^key /, (client) => client.get(path));
    await expectAlarm(path, /^key /, (client) => client.get('/v1/sessions'));
    await restore();
    await expectWell(path);
  });

  test('to none at all fails it as one that is not sealed', async () => {
    const { path } = await talked();
    const { meta } = keysOf(path);
    const seal = await redis.hget(meta, 'seal');
    await redis.hdel(meta, 'seal');
    await expectAlarm(path, /^session is not sealed/, (client) => client.get(path));
    await expectAlarm(path, /^session is not sealed/, (client) => client.get('/v1/sessions'));
    await redis.hset(meta, 'seal', seal ?? '');
    await expectWell(path);
  });
});

describe('a message', () => {
  test.each<[string, (message: Buffer) => Buffer | string]>([
    ['that was altered by a bit', (message) => flipped(message)],
    ['that was cut off', (message) => message.subarray(0, 20)],
    ['that is not sealed', () => '{"id":"x","author":"user","parts":[{"text":"as I like"}],"createTime":""}'],
  ])(
    '%s fails every page that it is on, and what is asked after it, without blocking the session',
    async (_how, alter) => {
      const { path } = await talked();
      const restore = await alterMessage(path, 1, alter);
      await expectAlarm(path, /^message 1 /, (client) => client.get(`${path}/messages`));
      await expectAlarm(path, /^message 1 /, (client) => client.get(`${path}/messages?order=desc`));
      expect((await played.there.get(`${path}/messages?pageSize=2&pageToken=asc-2`)).json.messages).toHaveLength(2);
      const sent = { message: 'third', turnId: 'third' };
      await expectAlarm(path, /^message 1 /, (client) => client.post(`${path}/messages`, sent));
      await expectAlarm(path, /^message 1 /, async (client) => client.stream(path, sent).done());
      await expectAlarm(path, /^message 1 /, (client) => client.post(`${path}/fork`, {}));
      expect((await played.there.get(path)).json).not.toHaveProperty('activeTurn');
      await restore();
      expect((await played.there.post(`${path}/messages`, sent)).json.state).toBe('COMMITTED');
    },
  );

  test('in the place of another one of its session is not taken', async () => {
    const { path } = await talked();
    const { history } = keysOf(path);
    const [first, , third] = await redis.lrangeBuffer(history, 0, -1);
    await redis.lset(history, 0, third ?? '');
    await redis.lset(history, 2, first ?? '');
    await expectAlarm(path, /^message 0 /, (client) => client.get(`${path}/messages`));
  });

  test('in the same place of another session is not taken', async () => {
    const [mine, yours] = [await talked(), await talked()];
    const restore = await alterMessage(mine.path, 0, (own) => own);
    await redis.lset(keysOf(mine.path).history, 0, (await redis.lindexBuffer(keysOf(yours.path).history, 0)) ?? '');
    await expectAlarm(mine.path, /^message 0 .*another session/, (client) => client.get(`${mine.path}/messages`));
    await restore();
    await expectWell(mine.path);
  });
});

describe('a turn', () => {
  test('whose record was altered fails alone and in the list', async () => {
    const { path } = await talked();
    const { json } = await played.here.get(`${path}/turns`);
    const { turnId } = json.turns[1];
    const restore = await alterField(keysOf(path).turns, turnId, (record) => flipped(record));
    await expectAlarm(path, /^turn /, (client) => client.get(`${path}/turns/${turnId}`));
    await expectAlarm(path, /^turn /, (client) => client.get(`${path}/turns`));
    await restore();
    expect((await played.there.get(`${path}/turns`)).text).toBe((await played.here.get(`${path}/turns`)).text);
  });

  test('whose candidates were altered fails, and none of them can be chosen', async () => {
    const { path, turnId } = await talked();
    const restore = await alterField(keysOf(path).newest, turnId, (record) => flipped(record));
    await expectAlarm(path, /^turn /, (client) => client.get(`${path}/turns/${turnId}`));
    await expectAlarm(path, /^turn /, (client) => client.post(`${path}/turns/${turnId}/choose`, { candidate: 1 }));
    await restore();
    expect((await played.there.post(`${path}/turns/${turnId}/choose`, { candidate: 1 })).json.text).toBe('other');
  });

  test('in the place of another one is not taken', async () => {
    const { path } = await talked();
    const { turns } = keysOf(path);
    const { json } = await played.here.get(`${path}/turns`);
    const [newer, older] = json.turns.map((turn: { turnId: string }) => turn.turnId);
    await redis.hset(turns, older, (await redis.hgetBuffer(turns, newer)) ?? '');
    await expectAlarm(path, /^turn /, (client) => client.get(`${path}/turns/${older}`));
  });

  test('whose question was altered cannot be asked again', async () => {
    const { path, plays } = await talked();
    plays((response) => response.destroy());
    const { turnId } = (await played.here.post(`${path}/messages`, { message: 'lost' })).json;
    const restore = await alterField(keysOf(path).newest, `${turnId}/question`, (question) => flipped(question));
    await expectAlarm(path, /^question /, (client) => client.post(`${path}/turns/${turnId}/regenerate`));
    await restore();
    expect((await played.there.post(`${path}/turns/${turnId}/regenerate`)).json.state).toBe('COMMITTED');
  });
});

describe('the calls that are open', () => {
  test('fail a send when they were altered', async () => {
    const { path, plays } = await talked();
    plays(saysParts([{ functionCall: { name: 'f', args: {} } }]));
    await played.here.post(`${path}/messages`, { message: 'call' });
    const refused = await played.there.post(`${path}/messages`, { message: 'no response' });
    expect([refused.status, refused.json.errors[0].message]).toEqual([400, expect.stringContaining('"f"')]);
    await alterField(keysOf(path).meta, 'calls', (calls) => `${calls[0] === 65 ? 'B' : 'A'}${calls.subarray(1)}`);
    await expectAlarm(path, /^calls /, (client) => client.post(`${path}/messages`, { message: 'no response' }));
  });
});

describe('events', () => {
  async function alterEvents(path: string, alter: (frames: Buffer, index: number) => Buffer): Promise<void> {
    const { events } = keysOf(path);
    const entries = (await redis.callBuffer('XRANGE', events, '-', '+')) as [Buffer, Buffer[]][];
    await redis.del(events);
    for (const [index, [id, [name = '', after = '', field = '', frames]]] of entries.entries()) {
      await redis.xadd(events, `${id}`, name, after, field, alter(frames ?? Buffer.alloc(0), index));
    }
    await redis.pexpire(events, 60_000);
  }

  test('that were altered fail who reads them, of one turn or of all', async () => {
    const { path } = await talked();
    await played.here.stream(path, { message: 'streamed', turnId: 'streamed' }).done();
    const before = await played.there.events(`${path}/turns/streamed/events`).done();
    expect(before.terminal?.event).toBe('turn.committed');
    await alterEvents(path, (frames) => flipped(frames));
    await expectAlarm(path, /^frames /, (client) => client.events(`${path}/turns/streamed/events`).done());
  });

  test('in the place of others are not taken', async () => {
    const { path } = await talked();
    await played.here.stream(path, { message: 'streamed', turnId: 'streamed' }).done();
    const { events } = keysOf(path);
    const entries = (await redis.callBuffer('XRANGE', events, '-', '+')) as [Buffer, Buffer[]][];
    // Of the turn before.
    const others = entries[0]?.[1][3];
    expect(entries.length).toBeGreaterThan(1);
    await alterEvents(path, (frames) => others ?? frames);
    await expectAlarm(path, /^frames /, (client) => client.events(`${path}/turns/streamed/events`).done());
  });

  test('that are met by a stream in the middle end it without a last event, and who comes back is told', async () => {
    const session = await talked();
    const { path } = session;
    const { script, release } = held();
    session.plays(script);
    const sent = played.here.stream(path, { message: 'held', turnId: 'held' });
    await sent.until('its first word', (stream) => stream.answer() !== '');
    const { events, meta } = keysOf(path);
    await until('its first word is in Redis', async () => (await redis.hget(meta, 'seq')) !== '0');
    const viewer = played.there.events(`${path}/turns/held/events`);
    const follower = played.there.events(`${path}/events`);
    for (const stream of [viewer, follower]) await stream.until('the first word', (one) => one.answer() !== '');
    const [entry] = (await redis.callBuffer('XREVRANGE', events, '+', '-', 'COUNT', '1')) as [Buffer, Buffer[]][];
    const [epoch, seq] = `${entry?.[0]}`.split('-');
    await redis.xadd(events, `${epoch}-${Number(seq) + 1}`, 'after', seq ?? '', 'frames', entry?.[1][3] ?? '');
    await redis.call('SPUBLISH', meta, 'frames');
    for (const stream of [viewer, follower]) {
      await stream.done();
      expect([stream.ending, stream.terminal]).toEqual(['end', undefined]);
    }
    await expectAlarm(path, /^frames /, (client) => client.events(`${path}/turns/held/events`).done());
    release();
    // The turn itself has nothing to do with what others cannot read.
    expect((await sent.done()).terminal?.event).toBe('turn.committed');
    expect((await played.there.get(`${path}/turns/held`)).json.text).toBe('half and half');
  });
});

describe('a whole session', () => {
  /** Everything of one, under the keys of another one. */
  async function move(from: string, to: string): Promise<void> {
    const [source, target] = [keysOf(from), keysOf(to)] as const;
    for (const name of Object.keys(source) as (keyof typeof source)[]) {
      const contents = await redis.dumpBuffer(source[name]);
      await redis.del(target[name]);
      if (contents) await redis.restore(target[name], 600_000, contents);
    }
  }

  test('in the place of another one is not taken', async () => {
    const [mine, yours] = [await talked(), await talked()];
    await move(yours.path, mine.path);
    await expectAlarm(mine.path, /^key .*belongs elsewhere/, (client) => client.get(mine.path));
    await expectAlarm(mine.path, /^key /, (client) => client.post(`${mine.path}/messages`, { message: 'a' }));
    await redis.del(Object.values(keysOf(mine.path)));
    await expectWell(yours.path);
  });

  test('of another owner is not taken', async () => {
    const { path } = await talked();
    const theirs = sessionKeys(played.replicas.prefix, { owner: 'somebody else', sessionId: 'theirs' });
    const mine = sessionKeys(played.replicas.prefix, { owner: OWNER, sessionId: 'theirs' });
    // As it would be made there, by the same key file.
    await redis.copy(keysOf(path).meta, theirs.meta);
    await redis.rename(theirs.meta, mine.meta);
    await expectAlarm('/v1/sessions/theirs', /^key .*belongs elsewhere/, (client) => client.get('/v1/sessions/theirs'));
    await redis.del(mine.meta);
  });

  test('that was deleted cannot be read any more: its key is gone, and what was kept of it is of no use', async () => {
    const { path } = await talked({ id: `again-${randomUUID()}` });
    const { meta, history } = keysOf(path);
    const copies = await redis.lrangeBuffer(history, 0, -1);
    const key = (await redis.hgetBuffer(meta, 'sealkey')) ?? Buffer.alloc(0);
    expect((await played.here.delete(path)).status).toBe(204);
    expect(await redis.exists(...Object.values(keysOf(path)))).toBe(0);
    await played.here.post('/v1/sessions', { id: idIn(path) });
    await redis.rpush(history, ...copies);
    await redis.hset(meta, 'count', copies.length);
    await expectAlarm(path, /^message 0 .*another session/, (client) => client.get(`${path}/messages`));
    await redis.hset(meta, 'sealkey', key);
    await expectAlarm(path, /^key /, (client) => client.get(path));
  });

  test('that cannot be read can be deleted', async () => {
    const { path } = await talked();
    await alterField(keysOf(path).meta, 'sealkey', (key) => flipped(key));
    expect((await played.there.delete(path)).status).toBe(204);
    expect((await played.there.get(path)).status).toBe(404);
  });
});
