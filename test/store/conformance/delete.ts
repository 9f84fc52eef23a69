// delete, and what a session of the same name afterwards has to do with it: nothing.

import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import {
  aBatch,
  aChange,
  aKey,
  anEnding,
  aReap,
  aSession,
  aTurn,
  begin,
  bytes,
  commitTurn,
  historyOf,
  isGone,
  logOf,
  refusalOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

export function deleteBehaves(bench: Bench): void {
  describe('delete', () => {
    it('removes every trace', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('secret')] }));
      const turn = await commitTurn(store, key);
      await store.delete(key);
      expect(await refusalOf(other.read(key))).toBe('session_not_found');
      expect(await refusalOf(other.readMessages(key, { start: 0, count: 5 }))).toBe('session_not_found');
      expect(await refusalOf(other.readTurn(key, turn.turnId))).toBe('session_not_found');
      expect(await refusalOf(other.update(key, aChange(1)))).toBe('session_not_found');
      expect(await refusalOf(other.begin(key, aTurn()))).toBe('session_not_found');
      expect(await other.readFrames(key, turn.epoch, 0)).toEqual([]);
    });

    it('fails the second time, and for what never was', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      await store.delete(key);
      expect(await refusalOf(other.delete(key))).toBe('session_not_found');
      expect(await refusalOf(store.delete(aKey()))).toBe('session_not_found');
    });

    it('is refused for another version than the one it names', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      await store.update(key, aChange(1));
      expect(await refusalOf(other.delete(key, 1))).toBe('version_mismatch');
      expect((await store.read(key)).version).toBe(2);
      await other.delete(key, 2);
      expect(await isGone(store, key)).toBe(true);
    });

    it('takes a running turn from its producer for good', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const turn = await begin(store, key);
      await other.delete(key);
      expect(await store.append(key, turn.epoch, aBatch(0, 1))).toEqual({ outcome: 'gone' });
      expect(await store.renew(key, turn.epoch, 1000)).toEqual({ outcome: 'gone' });
      expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'gone' });
      expect(await store.reap(key, aReap(turn))).toBe(false);
      expect(await isGone(store, key)).toBe(true);
    });
  });

  describe('a session made again under a name', () => {
    /** Two lives of one name: the old one with a history, a ledger, a log and a running turn. */
    async function twoLives() {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession({ messages: [bytes('old')], openCalls: '' }));
      const usage = { promptTokens: 1, outputTokens: 2, totalTokens: 3 };
      const done = await commitTurn(store, key, { turnId: 'first', usage, fullRecord: bytes('all candidates') });
      const running = await begin(store, key, { turnId: 'second' });
      await store.append(key, running.epoch, aBatch(0, 2));
      await store.delete(key);
      await other.create(key, aSession({ config: bytes('new life') }));
      return { store, other, key, done, running };
    }

    it('shows nothing of the old one', async () => {
      const { store, key, done, running } = await twoLives();
      const session = await store.read(key);
      expect(session).toMatchObject({ version: 1, messageCount: 0, usage: { totalTokens: 0 } });
      expect(session.running).toBeUndefined();
      expect(await historyOf(store, key)).toEqual([]);
      expect(await refusalOf(store.readTurn(key, 'first'))).toBe('turn_not_found');
      expect(await refusalOf(store.readTurn(key, 'second'))).toBe('turn_not_found');
      expect(await store.readFrames(key, done.epoch, 0)).toEqual([]);
      expect(await store.readFrames(key, running.epoch, 0)).toEqual([]);
    });

    it('never uses an epoch again', async () => {
      const { store, key, running } = await twoLives();
      const turn = await begin(store, key);
      expect(turn.epoch).toBeGreaterThan(running.epoch);
    });

    it('refuses the old producer, also while a turn of the same id runs in the new one', async () => {
      const { store, key, running } = await twoLives();
      const mine = await begin(store, key, { turnId: 'second' });
      expect(await store.append(key, running.epoch, aBatch(2, 3))).toEqual({ outcome: 'gone' });
      expect(await store.renew(key, running.epoch, 1000)).toEqual({ outcome: 'gone' });
      expect(await store.finish(key, anEnding(running, { batch: aBatch(2, 3) }))).toEqual({ outcome: 'gone' });
      expect(await store.reap(key, aReap(running))).toBe(false);
      expect(await store.finish(key, anEnding(mine))).toEqual({ outcome: 'finished', version: 2 });
      expect(await store.finish(key, anEnding(running, { batch: aBatch(2, 3) }))).toEqual({ outcome: 'gone' });
      expect(await historyOf(store, key)).toEqual(['question of second', 'answer of second']);
      expect(await logOf(store, key, mine.epoch)).toBe('<0..1>');
    });

    it('takes the ids of old turns again', async () => {
      const { store, key } = await twoLives();
      expect((await begin(store, key, { turnId: 'first' })).history).toEqual([]);
    });

    it('is as new after an expiry as after a deletion', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ ttlS: 0.1, messages: [bytes('old')] }));
      const old = await commitTurn(store, key, { turnId: 'same' });
      await until('the session has expired', () => isGone(store, key));
      await store.create(key, aSession());
      expect(await historyOf(store, key)).toEqual([]);
      expect(await refusalOf(store.readTurn(key, 'same'))).toBe('turn_not_found');
      const mine = await begin(store, key, { turnId: 'same' });
      expect(mine.epoch).toBeGreaterThan(old.epoch);
      expect(await store.finish(key, anEnding(old))).toEqual({ outcome: 'gone' });
    });
  });
}
