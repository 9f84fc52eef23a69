// The keys of the Redis store: one slot per session, nothing of an owner to be read in them, and none that stays.

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { allKeys, sessionKeys, sessionListKey } from '../../src/adapters/redis/keys.ts';
import type { RedisSessionStore } from '../../src/adapters/redis/redis-session-store.ts';
import { configOf, keysUnder, openRedisStore, sweep, uniquePrefix } from '../support/redis-stores.ts';
import { until } from '../support/until.ts';
import {
  aBatch,
  aChange,
  aChoice,
  aFailure,
  aKey,
  anEnding,
  anImport,
  aReap,
  aRewind,
  aSession,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  isGone,
} from './builders.ts';

const tagOf = (key: string) => /\{([^}]*)\}/.exec(key)?.[1];

describe('the keys of a session', () => {
  it('share one hash tag, which is the session’s alone', () => {
    const tags = new Set<string | undefined>();
    for (const owner of ['a', '{a}', 'a}', '}{', '']) {
      for (const sessionId of ['1', '2']) {
        const keys = allKeys(sessionKeys('p', { owner, sessionId }));
        expect(new Set(keys).size).toBe(keys.length);
        const [tag, ...others] = new Set(keys.map(tagOf));
        expect(others).toEqual([]);
        expect(tag).toBeTruthy();
        tags.add(tag);
      }
    }
    expect(tags.size).toBe(10);
  });

  it('begin with the prefix and show nothing of the owner', () => {
    const owner = 'alice@example.com';
    const keys = [...allKeys(sessionKeys('my-prefix', { owner, sessionId: '1' })), sessionListKey('my-prefix', owner)];
    for (const key of keys) {
      expect(key).toMatch(/^my-prefix:\{[A-Za-z0-9_:-]+\}:[a-z]+$/);
      expect(key).not.toContain('alice');
    }
  });

  it('are never those of another session or of a list', () => {
    const keys = ['x', 'sessions', 'meta'].flatMap((sessionId) => allKeys(sessionKeys('p', { owner: 'o', sessionId })));
    keys.push(sessionListKey('p', 'o'));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('what a session leaves in Redis', () => {
  const client = new Redis(inject('redisUrl'));
  let prefix: string;
  let store: RedisSessionStore;

  beforeEach(async () => {
    prefix = uniquePrefix();
    store = await openRedisStore(configOf(inject('redisUrl'), prefix));
  });
  afterEach(async () => {
    await store.close();
    expect(await sweep(client, prefix)).toEqual([]);
  });
  afterAll(() => client.disconnect());

  /** The keys under the prefix that would stay for ever. */
  async function immortal(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const key of await keysUnder(client, prefix)) if ((await client.pttl(key)) === -1) found.push(key);
    return found;
  }

  it('has a lifetime after every single step', async () => {
    const key = aKey();
    await store.create(key, aSession());
    expect(await immortal()).toEqual([]);
    await store.update(key, aChange(1));
    expect(await immortal()).toEqual([]);
    const turn = await begin(store, key);
    expect(await immortal()).toEqual([]);
    await store.append(key, turn.epoch, aBatch(0, 1));
    expect(await immortal()).toEqual([]);
    await store.renew(key, turn.epoch, 1000);
    const ending = anEnding(turn, { batch: aBatch(1, 2), version: 3, fullRecord: bytes('all') });
    expect(await store.finish(key, ending)).toMatchObject({ outcome: 'finished' });
    expect(await immortal()).toEqual([]);
    const dead = await beginDeadTurn(store, key);
    expect(await immortal()).toEqual([]);
    expect(await store.reap(key, aReap(dead))).toBe(true);
    expect(await immortal()).toEqual([]);
    expect(await keysUnder(client, prefix)).toHaveLength(8);
  });

  it('has a lifetime after every change of its history, also where that makes a key', async () => {
    const key = aKey();
    const idempotency = (name: string) => ({ idempotency: { key: name, fingerprint: 'f', ttlMs: 60_000 } });
    await store.create(key, { ...aSession(), ...idempotency('creation') });
    expect(await immortal()).toEqual([]);
    await store.importMessages(key, anImport(['a'], 1, idempotency('k')));
    expect(await immortal()).toEqual([]);
    const { turnId } = await commitTurn(store, key);
    await store.choose(key, aChoice(turnId, 3));
    expect(await immortal()).toEqual([]);
    const again = await begin(store, key, { again: { turnId, isReplaced: true } });
    expect(await immortal()).toEqual([]);
    await store.finish(key, anEnding(again, { replacedTurnId: turnId }));
    await store.rewind(key, aRewind(0, 5));
    expect(await immortal()).toEqual([]);
  });

  it('holds no more idempotency keys of imports than it may, and one list of them', async () => {
    const key = aKey();
    await store.create(key, aSession());
    for (let i = 0; i < 1020; i += 1) {
      const historyLimit = { messages: 2000, bytes: 1_000_000 };
      const idempotency = { key: `k${i}`, fingerprint: 'f', ttlMs: 60_000 };
      await store.importMessages(key, anImport(['a'], 1 + i, { idempotency, historyLimit }));
    }
    const { idem } = sessionKeys(prefix, key);
    expect(await client.hlen(idem)).toBe(1001);
    expect((await client.hget(idem, '/imports'))?.split(' ')).toHaveLength(1000);
  });

  it('holds the names of sixteen changes', async () => {
    const key = aKey();
    await store.create(key, aSession());
    for (let i = 0; i < 40; i += 1) await store.update(key, aChange(1 + i));
    expect((await client.hget(sessionKeys(prefix, key).meta, 'changes'))?.split(' ')).toHaveLength(16);
  });

  it('is nothing after it was deleted', async () => {
    const key = aKey();
    await store.create(key, aSession());
    await commitTurn(store, key, { fullRecord: bytes('all') });
    await begin(store, key);
    await store.delete(key);
    await until('the list has forgotten it', async () => (await keysUnder(client, prefix)).length === 0);
  });

  it('is nothing after it has expired, not even the log of a turn that was never ended', async () => {
    const key = aKey();
    await store.create(key, aSession({ ttlS: 0.1, messages: [bytes('a')] }));
    const turn = await begin(store, key, { leaseMs: 20 });
    await store.append(key, turn.epoch, aBatch(0, 1));
    await store.renew(key, turn.epoch, 20);
    await store.append(key, turn.epoch, aBatch(1, 2));
    await until('the session has expired', () => isGone(store, key));
    const log = sessionKeys(prefix, key).events;
    expect(await client.pttl(log)).toBeLessThan(50);
    await until('all of it has expired', async () => (await keysUnder(client, prefix)).length === 0, {
      deadlineMs: 2000,
    });
  });

  it('is nothing after it has expired early, because a change has made its lifetime shorter than that of its log', async () => {
    const key = aKey();
    await store.create(key, aSession());
    await commitTurn(store, key);
    await store.update(key, aChange(2, { ttlS: 0.05 }));
    await until('the session has expired', () => isGone(store, key));
    expect(await client.exists(sessionKeys(prefix, key).events)).toBe(0);
  });

  it('has the newest question until a turn has committed', async () => {
    const key = aKey();
    await store.create(key, aSession());
    const { newest } = sessionKeys(prefix, key);
    const failed = await begin(store, key, { question: bytes('Why?') });
    await store.finish(key, aFailure(failed));
    const questions = () => client.hgetall(newest);
    expect(await questions()).toEqual({ [`${failed.turnId}/question`]: 'Why?' });
    const committed = await begin(store, key, { question: bytes('How?') });
    expect(await questions()).toMatchObject({ [`${committed.turnId}/question`]: 'How?' });
    await store.finish(key, anEnding(committed));
    expect(await questions()).toEqual({});
  });

  it('is not in the list any more once somebody has met it there', async () => {
    const [kept, expired] = [aKey('alice'), aKey('alice')];
    await store.create(kept, aSession());
    await store.create(expired, aSession({ ttlS: 0.05 }));
    const list = sessionListKey(prefix, 'alice');
    expect(await client.zcard(list)).toBe(2);
    await until('the session has expired', () => isGone(store, expired));
    expect((await store.list('alice', 10)).items).toHaveLength(1);
    expect(await client.zrange(list, '0', '-1')).toEqual([kept.sessionId]);
  });

  it('has a log for minutes only, and shorter than the session', async () => {
    const key = aKey();
    await store.create(key, aSession({ ttlS: 86_400 }));
    const log = sessionKeys(prefix, key).events;
    const turn = await begin(store, key);
    await store.append(key, turn.epoch, aBatch(0, 1));
    expect(await client.pttl(log)).toBeLessThanOrEqual(120_000);
    await store.finish(key, anEnding(turn, { batch: aBatch(1, 2) }));
    const left = await client.pttl(log);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  });
});
