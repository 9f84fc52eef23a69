// create, read, update, readMessages, isReady.

import { describe, expect, it } from 'vitest';
import {
  aChange,
  aKey,
  aSession,
  aTurn,
  begin,
  bytes,
  commitTurn,
  historyOf,
  plain,
  refusalOf,
  shown,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

const NO_TOKENS = { promptTokens: 0, outputTokens: 0, thoughtTokens: 0, cachedTokens: 0, totalTokens: 0 };

export function sessionBehaves(bench: Bench): void {
  describe('create', () => {
    it('answers the session as it was given, at version 1', async () => {
      const { store } = bench;
      const key = aKey();
      const messages = [bytes('one'), bytes('two')];
      const created = await store.create(key, aSession({ config: bytes('{"a":1}'), ttlS: 77, messages }));
      expect({ ...created, config: plain(created.config) }).toEqual({
        sessionId: key.sessionId,
        config: '{"a":1}',
        ttlS: 77,
        createTimeMs: created.createTimeMs,
        updateTimeMs: created.createTimeMs,
        version: 1,
        epoch: (await store.read(key)).epoch,
        messageCount: 2,
        usage: NO_TOKENS,
      });
      expect(Math.abs(created.createTimeMs - Date.now())).toBeLessThan(60_000);
      expect(await historyOf(store, key)).toEqual(['one', 'two']);
    });

    it('is seen at once by another replica', async () => {
      const { store, other } = bench;
      const key = aKey();
      const created = await store.create(key, aSession());
      expect(shown(await other.read(key))).toEqual(shown(created));
    });

    it('refuses an id that is taken, and leaves its session alone', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('first')] }));
      const before = await stateOf(store, key);
      const second = aSession({ config: bytes('second'), messages: [bytes('x'), bytes('y')], ttlS: 5 });
      expect(await refusalOf(store.create(key, second))).toBe('session_exists');
      expect(await stateOf(store, key)).toEqual(before);
    });

    it('answers a resend of the same attempt with the same session, made once', async () => {
      const { store } = bench;
      const key = aKey();
      const session = aSession({ messages: [bytes('one'), bytes('two')] });
      const created = await store.create(key, session);
      expect(shown(await store.create(key, session))).toEqual(shown(created));
      expect(await historyOf(store, key)).toEqual(['one', 'two']);
    });

    it('lets exactly one of twenty at the same time have the id', async () => {
      const { store, other } = bench;
      const key = aKey();
      const calls = Array.from({ length: 20 }, (_, i) => {
        return (i % 2 === 0 ? store : other).create(key, aSession({ config: bytes(`from ${i}`) }));
      });
      const settled = await Promise.allSettled(calls);
      const made = settled.filter((result) => result.status === 'fulfilled');
      const refused = settled.filter((result) => result.status === 'rejected');
      expect(new Set(refused.map(({ reason }) => reason.code))).toEqual(new Set(['session_exists']));
      expect(made).toHaveLength(1);
      expect(shown(await store.read(key))).toEqual(shown(made[0]?.value));
    });

    it('remembers which calls the last message leaves open', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('call')], openCalls: '"größe_✓"' }));
      expect(await store.begin(key, aTurn())).toEqual({ outcome: 'calls_mismatch', openCalls: '"größe_✓"' });
      expect((await begin(store, key, { answeredCalls: '"größe_✓"' })).version).toBe(1);
    });
  });

  describe('read', () => {
    it('fails for a session that was never made', async () => {
      expect(await refusalOf(bench.store.read(aKey()))).toBe('session_not_found');
    });

    it('shows who holds the session, and until when', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const turn = await begin(store, key, { leaseMs: 30_000 });
      const { running } = await other.read(key);
      expect(running).toMatchObject({ turnId: turn.turnId, epoch: turn.epoch });
      expect(Math.abs((running?.leaseUntilMs ?? 0) - Date.now() - 30_000)).toBeLessThan(5000);
    });
  });

  describe('update', () => {
    it('replaces configuration and lifetime, and makes the next version', async () => {
      const { store, other } = bench;
      const key = aKey();
      const created = await store.create(key, aSession());
      const updated = await store.update(key, aChange(1, { config: bytes('new'), ttlS: 99 }));
      expect(updated).toMatchObject({ version: 2, ttlS: 99, createTimeMs: created.createTimeMs });
      expect(plain(updated.config)).toBe('new');
      expect(updated.updateTimeMs).toBeGreaterThanOrEqual(created.updateTimeMs);
      expect(await other.read(key)).toEqual(updated);
    });

    it('names the current version when it was made from another one, and changes nothing', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession());
      await store.update(key, aChange(1));
      const before = await stateOf(store, key);
      for (const ifVersion of [1, 3]) {
        await expect(store.update(key, aChange(ifVersion, { config: bytes('lost') }))).rejects.toMatchObject({
          code: 'version_mismatch',
          details: { currentVersion: 2 },
        });
      }
      expect(await stateOf(store, key)).toEqual(before);
    });

    it('applies once when the same attempt is sent again', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const change = aChange(1, { config: bytes('once') });
      const updated = await store.update(key, change);
      expect(await store.update(key, change)).toEqual(updated);
      expect(updated.version).toBe(2);
    });

    it('lets one of twenty changes of the same version through', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const calls = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).update(key, aChange(1)));
      const settled = await Promise.allSettled(calls);
      const refused = settled.filter((result) => result.status === 'rejected');
      expect(refused.map(({ reason }) => reason.code)).toEqual(Array(19).fill('version_mismatch'));
      expect((await store.read(key)).version).toBe(2);
    });

    it('works beside a running turn, and leaves history and turn alone', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('one')] }));
      const turn = await begin(store, key);
      const updated = await store.update(key, aChange(1));
      expect(updated).toMatchObject({ version: 2, messageCount: 1, running: { turnId: turn.turnId } });
    });

    it('fails for a session that does not exist', async () => {
      expect(await refusalOf(bench.store.update(aKey(), aChange(1)))).toBe('session_not_found');
    });
  });

  describe('readMessages', () => {
    const page = async (start: number, count: number) => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: ['a', 'b', 'c', 'd', 'e'].map(bytes) }));
      return (await store.readMessages(key, { start, count })).map(plain).join('');
    };

    it.each([
      [0, 2, 'ab'],
      [2, 2, 'cd'],
      [4, 2, 'e'],
      [0, 100, 'abcde'],
      [5, 2, ''],
      [99, 2, ''],
      [1, 0, ''],
      [0, 1, 'a'],
    ])('from position %i, %i messages, of five: "%s"', async (start, count, expected) => {
      expect(await page(start, count)).toBe(expected);
    });

    it('follows the history as it grows', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('first')] }));
      const { turnId } = await commitTurn(store, key);
      expect(await historyOf(other, key)).toEqual(['first', `question of ${turnId}`, `answer of ${turnId}`]);
    });

    it('fails for a session that does not exist, also when nothing is asked for', async () => {
      const { store } = bench;
      expect(await refusalOf(store.readMessages(aKey(), { start: 0, count: 5 }))).toBe('session_not_found');
      expect(await refusalOf(store.readMessages(aKey(), { start: 0, count: 0 }))).toBe('session_not_found');
    });
  });

  it('is ready', async () => {
    expect(await bench.store.isReady()).toBe(true);
  });
}
