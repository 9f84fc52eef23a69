// begin with a budget: whether what the session's turns have spent leaves anything.

import { describe, expect, it } from 'vitest';
import type { Usage } from '../../../src/chat/language-model.ts';
import {
  aChange,
  aFailure,
  aKey,
  anEnding,
  aSession,
  aTurn,
  begin,
  bytes,
  commitTurn,
  failTurn,
  refusalOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

function used(totalTokens: number): { readonly usage: Usage } {
  return { usage: { promptTokens: totalTokens, outputTokens: 0, totalTokens } };
}

export function budgetBehaves(bench: Bench): void {
  /** A session whose turns have spent so much. */
  async function spent(...tokens: readonly number[]) {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    for (const total of tokens) await commitTurn(store, key, used(total));
    return { store, other, key };
  }

  const exhausted = (tokensSpent: number) => ({ outcome: 'budget_exhausted', tokensSpent });

  describe('a budget', () => {
    it('lets turns begin until it is spent, and is asked for by each turn', async () => {
      const { other, key } = await spent(60, 40);
      const before = await stateOf(other, key);
      const turn = aTurn({ tokenBudget: 100 });
      expect(await other.begin(key, turn)).toEqual(exhausted(100));
      expect(await other.begin(key, aTurn({ tokenBudget: 1 }))).toEqual(exhausted(100));
      expect(await stateOf(other, key)).toEqual(before);
      expect(await refusalOf(other.readTurn(key, turn.turnId))).toBe('turn_not_found');
      expect(await other.begin(key, { ...turn, tokenBudget: 101 })).toMatchObject({ outcome: 'begun' });
    });

    it('lets the first turn begin, however small it is', async () => {
      const { store, key } = await spent();
      expect(await store.begin(key, aTurn({ tokenBudget: 1 }))).toMatchObject({ outcome: 'begun' });
    });

    it('is nothing to who names none', async () => {
      const { store, key } = await spent(1_000_000);
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'begun' });
    });

    it('is spent also by turns that did not commit, and a turn that runs has spent nothing yet', async () => {
      const { store, key } = await spent();
      await failTurn(store, key, used(7));
      await failTurn(store, key);
      const running = await begin(store, key);
      await store.finish(key, aFailure(running, { state: 'CANCELLED', ...used(5) }));
      expect(await store.begin(key, aTurn({ tokenBudget: 12 }))).toEqual(exhausted(12));
      expect(await store.begin(key, aTurn({ tokenBudget: 13 }))).toMatchObject({ outcome: 'begun' });
    });

    it('holds for sums beyond 2^31, to the last token', async () => {
      const { store, key } = await spent(3_000_000_000, 2_000_000_001);
      expect(await store.begin(key, aTurn({ tokenBudget: 5_000_000_001 }))).toEqual(exhausted(5_000_000_001));
      expect(await store.begin(key, aTurn({ tokenBudget: 5_000_000_002 }))).toMatchObject({ outcome: 'begun' });
    });

    it('comes after what was sent before, the id, the running turn and the version, and before the history', async () => {
      const { store, other, key } = await spent(10);
      const idempotency = { key: 'k', fingerprint: 'same', ttlMs: 60_000 };
      const running = await begin(store, key, { idempotency });
      const ask = (given: Parameters<typeof aTurn>[0] = {}) => other.begin(key, aTurn({ tokenBudget: 1, ...given }));
      expect(await ask()).toMatchObject({ outcome: 'busy', turnId: running.turnId });
      await store.finish(key, anEnding(running, used(10)));
      expect(await ask({ idempotency })).toEqual({ outcome: 'repeated', turnId: running.turnId });
      expect(await ask({ turnId: running.turnId })).toEqual({ outcome: 'turn_exists' });
      expect(await ask({ ifVersion: 1 })).toMatchObject({ outcome: 'version_mismatch' });
      const full = { historyLimit: { messages: 0, bytes: 0 }, answeredCalls: '"f"' };
      expect(await ask({ idempotency: { ...idempotency, key: 'new' }, ...full })).toEqual(exhausted(20));
      expect(await other.recall(key, { key: 'new', fingerprint: 'same' })).toBeUndefined();
    });

    it('stops a turn that has waited in line, which keeps its place until it leaves', async () => {
      const { store, other, key } = await spent();
      const running = await begin(store, key);
      const turn = aTurn({ tokenBudget: 5 });
      expect(await other.begin(key, { ...turn, onBusy: 'enqueue' })).toMatchObject({ outcome: 'waits' });
      await store.finish(key, anEnding(running, used(5)));
      expect(await other.begin(key, { ...turn, onBusy: 'waiting' })).toEqual(exhausted(5));
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'busy', turnId: turn.turnId, isWaiting: true });
      expect(await other.leave(key, { turnId: turn.turnId, record: bytes('ended'), onlyIfDead: false })).toBe(true);
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'begun' });
    });

    it('outlives a change of the configuration', async () => {
      const { store, key } = await spent(5);
      await store.update(key, aChange(2));
      expect(await store.begin(key, aTurn({ tokenBudget: 5 }))).toEqual(exhausted(5));
    });
  });
}
