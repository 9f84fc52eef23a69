// begin and recall with an idempotency key: one turn for one key, whatever is sent again.

import { describe, expect, it } from 'vitest';
import type { BeginTurn } from '../../../src/chat/claim.ts';
import { until } from '../../support/until.ts';
import { aFailure, aKey, anEnding, aSession, aTurn, begin, refusalOf } from '../builders.ts';
import type { Bench } from './bench.ts';

const DAY_MS = 86_400_000;

function keyed(key: string, fingerprint = 'same', ttlMs = DAY_MS): Partial<BeginTurn> {
  return { idempotency: { key, fingerprint, ttlMs } };
}

export function idempotencyBehaves(bench: Bench): void {
  async function onSession() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    return { store, other, key };
  }

  describe('an idempotency key', () => {
    it('leads to its turn, running or over, on another replica, before busy and version', async () => {
      const { store, other, key } = await onSession();
      const turn = await begin(store, key, keyed('k'));
      const repeated = { outcome: 'repeated', turnId: turn.turnId };
      expect(await other.begin(key, aTurn(keyed('k')))).toEqual(repeated);
      expect(await other.recall(key, { key: 'k', fingerprint: 'same' })).toEqual(repeated);
      await store.finish(key, anEnding(turn));
      expect(await other.begin(key, aTurn({ ...keyed('k'), ifVersion: 77 }))).toEqual(repeated);
      expect(await other.recall(key, { key: 'k', fingerprint: 'same' })).toEqual(repeated);
      expect((await store.read(key)).running).toBeUndefined();
    });

    it('is refused for another content, and nothing is begun', async () => {
      const { store, other, key } = await onSession();
      const turn = await begin(store, key, keyed('k', 'one'));
      const mismatch = { outcome: 'idempotency_mismatch' };
      expect(await other.begin(key, aTurn(keyed('k', 'two')))).toEqual(mismatch);
      expect(await other.recall(key, { key: 'k', fingerprint: 'two' })).toEqual(mismatch);
      expect((await store.read(key)).running?.turnId).toBe(turn.turnId);
    });

    it('is not taken by a turn that did not begin', async () => {
      const { store, other, key } = await onSession();
      const busy = await begin(store, key);
      expect(await other.begin(key, aTurn(keyed('k')))).toMatchObject({ outcome: 'busy' });
      expect(await other.recall(key, { key: 'k', fingerprint: 'same' })).toBeUndefined();
      await store.finish(key, anEnding(busy));
      expect(await other.begin(key, aTurn(keyed('k', 'another')))).toMatchObject({ outcome: 'begun' });
    });

    it('is claimed once, however many come at the same time', async () => {
      const { store, other, key } = await onSession();
      const begins = Array.from({ length: 12 }, (_, i) => (i % 2 ? store : other).begin(key, aTurn(keyed('k'))));
      const outcomes = (await Promise.all(begins)).map(({ outcome }) => outcome);
      expect(outcomes.filter((outcome) => outcome === 'begun')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'repeated')).toHaveLength(11);
    });

    it('leads to a turn that failed as well, and to no other turn', async () => {
      const { store, other, key } = await onSession();
      const failed = await begin(store, key, keyed('k'));
      await store.finish(key, aFailure(failed));
      await begin(store, key, keyed('another'));
      expect(await other.begin(key, aTurn(keyed('k')))).toEqual({ outcome: 'repeated', turnId: failed.turnId });
    });

    it('is new again after its time', async () => {
      const { store, other, key } = await onSession();
      const turn = await begin(store, key, keyed('k', 'same', 50));
      await store.finish(key, anEnding(turn));
      await until('the key is new', async () => !(await other.recall(key, { key: 'k', fingerprint: 'same' })));
      expect(await other.begin(key, aTurn(keyed('k', 'another')))).toMatchObject({ outcome: 'begun' });
    });

    it('is of its session alone, and goes with it', async () => {
      const { store, other, key } = await onSession();
      const second = aKey(key.owner);
      await store.create(second, aSession());
      await begin(store, key, keyed('k'));
      expect(await other.recall(second, { key: 'k', fingerprint: 'same' })).toBeUndefined();
      await store.delete(key);
      expect(await refusalOf(other.recall(key, { key: 'k', fingerprint: 'same' }))).toBe('session_not_found');
      await store.create(key, aSession());
      expect(await other.recall(key, { key: 'k', fingerprint: 'same' })).toBeUndefined();
    });
  });
}
