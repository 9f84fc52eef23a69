// What turns have used: summed per session and per owner and month, by the state in which they ended; each turn once.

import { describe, expect, it } from 'vitest';
import type { Usage } from '../../../src/chat/language-model.ts';
import { monthOfEpoch, NO_SUMS, type UsageSums } from '../../../src/chat/usage-sums.ts';
import { until } from '../../support/until.ts';
import {
  aChange,
  aFailure,
  aKey,
  anEnding,
  aReap,
  aSession,
  begin,
  beginDeadTurn,
  commitTurn,
  failTurn,
  isGone,
  refusalOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

const MUCH: Usage = { promptTokens: 10, outputTokens: 20, thoughtTokens: 3, cachedTokens: 4, totalTokens: 33 };
const LITTLE: Usage = { promptTokens: 1, outputTokens: 2, totalTokens: 3 };
/** `LITTLE` as a sum has it. */
const LITTLE_SUM = { ...LITTLE, thoughtTokens: 0, cachedTokens: 0 };

/** Of one turn. */
const sumsOfOne: UsageSums = { usage: LITTLE_SUM, byState: { COMMITTED: { turns: 1, ...LITTLE_SUM } } };

export function usageBehaves(bench: Bench): void {
  async function session(owner?: string) {
    const key = aKey(owner);
    await bench.store.create(key, aSession());
    return key;
  }

  /** The owner's sums once they hold so many turns: they are added to after the fact. */
  async function ownersOnce(owner: string, month: string, turns: number): Promise<UsageSums> {
    return until(`${turns} turns have been counted`, async () => {
      const sums = await bench.other.ownerUsage(owner, month);
      const counted = Object.values(sums.byState).reduce((sum, ofState) => sum + ofState.turns, 0);
      return counted >= turns ? sums : undefined;
    });
  }

  describe('what turns have used', () => {
    it('is summed up by the state in which they ended, for the session and for the month of its owner', async () => {
      const { store, other } = bench;
      const key = await session();
      const { epoch } = await commitTurn(store, key, { usage: MUCH });
      await commitTurn(other, key, { usage: LITTLE });
      await failTurn(store, key, { state: 'BLOCKED', usage: LITTLE });
      await failTurn(store, key, { state: 'FAILED', usage: LITTLE });
      const kept = await begin(store, key);
      await store.finish(key, anEnding(kept, { state: 'CANCELLED', usage: MUCH }));
      await failTurn(store, key, { state: 'CANCELLED', usage: LITTLE });
      const both = { promptTokens: 11, outputTokens: 22, thoughtTokens: 3, cachedTokens: 4, totalTokens: 36 };
      const sums: UsageSums = {
        usage: { promptTokens: 24, outputTokens: 48, thoughtTokens: 6, cachedTokens: 8, totalTokens: 78 },
        byState: {
          COMMITTED: { turns: 2, ...both },
          BLOCKED: { turns: 1, ...LITTLE_SUM },
          FAILED: { turns: 1, ...LITTLE_SUM },
          CANCELLED: { turns: 2, ...both },
        },
      };
      expect(await other.readUsage(key)).toEqual(sums);
      expect((await other.read(key)).usage).toEqual(sums.usage);
      expect(await ownersOnce(key.owner, monthOfEpoch(epoch), 6)).toEqual(sums);
    });

    it('is nothing where nothing was reported', async () => {
      const { store } = bench;
      const key = await session();
      await commitTurn(store, key);
      await failTurn(store, key);
      const dead = await beginDeadTurn(store, key);
      await store.reap(key, aReap(dead));
      expect(await store.readUsage(key)).toEqual(NO_SUMS);
      // Whoever is counted after them comes alone.
      const { epoch } = await commitTurn(store, key, { usage: LITTLE });
      expect(await ownersOnce(key.owner, monthOfEpoch(epoch), 1)).toEqual(sumsOfOne);
    });

    it('counts a turn whose report is all zeros', async () => {
      const key = await session();
      const usage = { promptTokens: 0, outputTokens: 0, totalTokens: 0 };
      await commitTurn(bench.store, key, { usage });
      const { byState } = await bench.store.readUsage(key);
      expect(byState).toEqual({ COMMITTED: { ...NO_SUMS.usage, turns: 1 } });
    });

    it('is counted once, however often and by whomever the end of a turn is sent', async () => {
      const { store, other } = bench;
      const key = await session();
      const turn = await begin(store, key);
      const ending = anEnding(turn, { usage: LITTLE });
      const sent = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? store : other).finish(key, ending));
      await Promise.all(sent);
      await other.finish(key, ending);
      expect(await other.readUsage(key)).toEqual(sumsOfOne);
      await failTurn(other, key, { usage: LITTLE });
      await store.finish(key, ending);
      const { byState } = await ownersOnce(key.owner, monthOfEpoch(turn.epoch), 2);
      expect(byState).toEqual({ COMMITTED: { turns: 1, ...LITTLE_SUM }, FAILED: { turns: 1, ...LITTLE_SUM } });
    });

    it('is not counted when the end was refused', async () => {
      const { store, other } = bench;
      const key = await session();
      const dead = await beginDeadTurn(store, key);
      await other.reap(key, aReap(dead));
      expect(await store.finish(key, anEnding(dead, { usage: MUCH }))).toEqual({ outcome: 'fenced' });
      const turn = await begin(store, key);
      await other.update(key, aChange(1));
      expect(await store.finish(key, aFailure(turn, { usage: MUCH }))).toMatchObject({ outcome: 'version_moved' });
      const gap = { afterSeq: 7, lastSeq: 8, frames: new Uint8Array() };
      expect(await store.finish(key, aFailure(turn, { version: 2, usage: MUCH, batch: gap }))).toMatchObject({
        outcome: 'gap',
      });
      expect(await store.finish({ ...key, sessionId: 'none' }, anEnding(turn, { usage: MUCH }))).toEqual({
        outcome: 'gone',
      });
      expect(await store.readUsage(key)).toEqual(NO_SUMS);
      await store.finish(key, anEnding(turn, { version: 3, usage: LITTLE }));
      expect(await ownersOnce(key.owner, monthOfEpoch(turn.epoch), 1)).toEqual(sumsOfOne);
    });

    it('of all sessions of an owner is one sum, and nobody else sees anything of it', async () => {
      const { store, other } = bench;
      const key = await session();
      const second = await session(key.owner);
      const { epoch } = await commitTurn(store, key, { usage: LITTLE });
      await commitTurn(other, second, { usage: MUCH });
      const month = monthOfEpoch(epoch);
      const { usage } = await ownersOnce(key.owner, month, 2);
      expect(usage.totalTokens).toBe(36);
      expect((await other.readUsage(second)).usage).toEqual(MUCH);
      const stranger = aKey();
      expect(await store.ownerUsage(stranger.owner, month)).toEqual(NO_SUMS);
      expect(await refusalOf(store.readUsage({ ...key, owner: stranger.owner }))).toBe('session_not_found');
    });

    it('in another month is nothing', async () => {
      const key = await session();
      const { epoch } = await commitTurn(bench.store, key, { usage: LITTLE });
      await ownersOnce(key.owner, monthOfEpoch(epoch), 1);
      for (const month of ['1999-12', '2999-01']) {
        expect(await bench.other.ownerUsage(key.owner, month)).toEqual(NO_SUMS);
      }
    });

    it('begins at zero in a session that is made again, while its owner keeps what was used before', async () => {
      const { store, other } = bench;
      const key = await session();
      const turn = await commitTurn(store, key, { turnId: 'same', usage: MUCH });
      await store.delete(key);
      expect(await refusalOf(other.readUsage(key))).toBe('session_not_found');
      await other.create(key, aSession());
      expect(await store.readUsage(key)).toEqual(NO_SUMS);
      await commitTurn(store, key, { turnId: 'same', usage: LITTLE });
      expect(await other.readUsage(key)).toEqual(sumsOfOne);
      expect((await ownersOnce(key.owner, monthOfEpoch(turn.epoch), 2)).usage.totalTokens).toBe(36);
    });

    it('stays with the owner when its session has expired', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession({ ttlS: 0.1 }));
      const { epoch } = await commitTurn(store, key, { usage: LITTLE });
      await until('the session has expired', () => isGone(store, key));
      expect(await refusalOf(store.readUsage(key))).toBe('session_not_found');
      expect(await ownersOnce(key.owner, monthOfEpoch(epoch), 1)).toEqual(sumsOfOne);
    });

    it('belongs to the month of now', async () => {
      const key = await session();
      const before = new Date().toISOString().slice(0, 7);
      const { epoch } = await commitTurn(bench.store, key, { usage: LITTLE });
      expect([before, new Date().toISOString().slice(0, 7)]).toContain(monthOfEpoch(epoch));
    });
  });
}
