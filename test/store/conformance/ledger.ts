// readTurn: what is kept of turns, how long, and how much.

import { describe, expect, it } from 'vitest';
import { ChatError } from '../../../src/chat/errors.ts';
import type { SessionKey } from '../../../src/chat/session.ts';
import {
  aChoice,
  aFailure,
  aKey,
  anEnding,
  aReap,
  aSession,
  aTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  failTurn,
  recordOf,
  refusalOf,
} from '../builders.ts';
import { type Bench, CONFORMANCE_RULES } from './bench.ts';

const { ledgerTurnsMax, ledgerBytesMax } = CONFORMANCE_RULES;

export function ledgerBehaves(bench: Bench): void {
  async function onSession() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    return { store, other, key };
  }

  async function textOf(key: SessionKey, turnId: string): Promise<string> {
    return recordOf(bench.other, key, turnId);
  }

  /** Those of the turns that can still be read. */
  async function kept(key: SessionKey, turnIds: readonly string[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (const turnId of turnIds) {
      try {
        await bench.store.readTurn(key, turnId);
        found.push(turnId);
      } catch (error) {
        if (!(error instanceof ChatError) || error.code !== 'turn_not_found') throw error;
      }
    }
    return found;
  }

  describe('readTurn', () => {
    it('gives the record of the running turn, and then of the ended one', async () => {
      const { store, key } = await onSession();
      const turn = await begin(store, key);
      expect(await textOf(key, turn.turnId)).toBe(`running ${turn.turnId}`);
      await store.finish(key, anEnding(turn));
      expect(await textOf(key, turn.turnId)).toBe(`ended ${turn.turnId}`);
    });

    it('fails for a turn, and for a session, that it does not know', async () => {
      const { store, key } = await onSession();
      await commitTurn(store, key);
      expect(await refusalOf(store.readTurn(key, 'unknown'))).toBe('turn_not_found');
      expect(await refusalOf(store.readTurn(aKey(), 'unknown'))).toBe('session_not_found');
    });

    it('has all candidates of a turn until the next one commits', async () => {
      const { store, key } = await onSession();
      const first = await commitTurn(store, key, { fullRecord: bytes('first with all') });
      expect(await textOf(key, first.turnId)).toBe('first with all');
      const second = await begin(store, key);
      expect(await textOf(key, first.turnId)).toBe('first with all');
      await store.finish(key, anEnding(second, { fullRecord: bytes('second with all') }));
      expect(await textOf(key, first.turnId)).toBe(`ended ${first.turnId}`);
      expect(await textOf(key, second.turnId)).toBe('second with all');
      await commitTurn(store, key);
      expect(await textOf(key, second.turnId)).toBe(`ended ${second.turnId}`);
    });

    it('has them of the turn that owns the last messages also after turns that did not commit', async () => {
      const { store, key } = await onSession();
      const owner = await commitTurn(store, key, { fullRecord: bytes('owner with all') });
      const blocked = await failTurn(store, key, { fullRecord: bytes('blocked with all') });
      expect(await textOf(key, blocked.turnId)).toBe('blocked with all');
      const failed = await failTurn(store, key);
      expect(await textOf(key, owner.turnId)).toBe('owner with all');
      expect(await textOf(key, blocked.turnId)).toBe(`ended ${blocked.turnId}`);
      expect(await textOf(key, failed.turnId)).toBe(`ended ${failed.turnId}`);
    });
  });

  describe('the ledger', () => {
    it('keeps the newest turns, as many as it may', async () => {
      const { store, key } = await onSession();
      const turnIds: string[] = [];
      for (let i = 0; i < ledgerTurnsMax + 3; i += 1) {
        const turn = await (i % 2 === 0 ? commitTurn(store, key) : failTurn(store, key));
        turnIds.push(turn.turnId);
      }
      expect(await kept(key, turnIds)).toEqual(turnIds.slice(-ledgerTurnsMax));
    });

    it('keeps no more bytes than it may', async () => {
      const { store, key } = await onSession();
      const turnIds: string[] = [];
      for (let i = 0; i < 6; i += 1) {
        const record = new Uint8Array(ledgerBytesMax / 4 + 1);
        turnIds.push((await commitTurn(store, key, { record })).turnId);
      }
      expect(await kept(key, turnIds)).toEqual(turnIds.slice(-3));
    });

    it('keeps the newest turn however large it is, and goes on from there', async () => {
      const { store, key } = await onSession();
      const small = await commitTurn(store, key);
      const large = await commitTurn(store, key, { record: new Uint8Array(2 * ledgerBytesMax) });
      expect(await kept(key, [small.turnId, large.turnId])).toEqual([large.turnId]);
      const next = await commitTurn(store, key);
      expect(await kept(key, [large.turnId, next.turnId])).toEqual([next.turnId]);
    });

    it('is as small when every producer dies', async () => {
      const { store, key } = await onSession();
      const turnIds: string[] = [];
      for (let i = 0; i < ledgerTurnsMax + 3; i += 1) {
        const turn = await beginDeadTurn(store, key);
        await store.reap(key, aReap(turn));
        turnIds.push(turn.turnId);
      }
      expect(await kept(key, turnIds)).toEqual(turnIds.slice(-ledgerTurnsMax));
    });

    it('counts the bytes of reaped turns', async () => {
      const { store, key } = await onSession();
      const turnIds: string[] = [];
      for (let i = 0; i < 6; i += 1) {
        const turn = await beginDeadTurn(store, key);
        await store.reap(key, aReap(turn, { record: new Uint8Array(ledgerBytesMax / 4 + 1) }));
        turnIds.push(turn.turnId);
      }
      expect(await kept(key, turnIds)).toEqual(turnIds.slice(-3));
    });

    it('never drops a running turn', async () => {
      const { store, key } = await onSession();
      for (let i = 0; i < ledgerTurnsMax; i += 1) await commitTurn(store, key);
      const turn = await begin(store, key, { record: new Uint8Array(2 * ledgerBytesMax) });
      expect(await kept(key, [turn.turnId])).toEqual([turn.turnId]);
      expect(await store.finish(key, aFailure(turn))).toMatchObject({ outcome: 'finished' });
    });

    it('never drops a running turn, nor one that waits, however many come after it and leave', async () => {
      const { store, key } = await onSession();
      const running = await begin(store, key);
      const waiting = aTurn();
      await store.begin(key, { ...waiting, onBusy: 'enqueue' });
      const left: string[] = [];
      for (let i = 0; i < ledgerTurnsMax + 3; i += 1) {
        const { turnId } = aTurn();
        await store.begin(key, aTurn({ turnId, onBusy: 'enqueue' }));
        await store.leave(key, { turnId, record: bytes('left'), onlyIfDead: false });
        left.push(turnId);
      }
      const open = [running.turnId, waiting.turnId];
      expect(await kept(key, [...open, ...left])).toEqual([...open, ...left.slice(2 - ledgerTurnsMax)]);
      expect(await store.finish(key, anEnding(running))).toMatchObject({ outcome: 'finished' });
      expect(await store.begin(key, { ...waiting, onBusy: 'waiting' })).toMatchObject({ outcome: 'begun' });
    });

    it('keeps the turn that has just ended, however large it is, and however many have come after it', async () => {
      const { store, key } = await onSession();
      const large = await begin(store, key);
      const waiting = aTurn();
      await store.begin(key, { ...waiting, onBusy: 'enqueue' });
      await store.finish(key, anEnding(large, { record: new Uint8Array(2 * ledgerBytesMax) }));
      expect(await kept(key, [large.turnId, waiting.turnId])).toEqual([large.turnId, waiting.turnId]);
      const waits = { turnId: waiting.turnId, record: bytes('left'), onlyIfDead: false };
      expect(await store.leave(key, waits)).toBe(true);
      expect(await kept(key, [large.turnId, waiting.turnId])).toEqual([waiting.turnId]);
    });

    it('drops with the turn that owns the last messages its candidates, and what can be done with it', async () => {
      const { store, other, key } = await onSession();
      await commitTurn(store, key, { turnId: 'owner', fullRecord: bytes('all candidates') });
      for (let i = 0; i < ledgerTurnsMax; i += 1) await failTurn(store, key);
      expect(await refusalOf(other.readTurn(key, 'owner'))).toBe('turn_not_found');
      expect(await refusalOf(other.choose(key, aChoice('owner', 2)))).toBe('not_latest_turn');
      const again = { again: { turnId: 'owner', isReplaced: true } };
      expect(await other.begin(key, aTurn(again))).toEqual({ outcome: 'not_latest_turn' });
      await failTurn(store, key, { turnId: 'owner' });
      expect(await textOf(key, 'owner')).toBe('ended owner');
    });

    it('frees the id of a turn that it has dropped', async () => {
      const { store, key } = await onSession();
      await commitTurn(store, key, { turnId: 'first' });
      for (let i = 0; i < ledgerTurnsMax; i += 1) await commitTurn(store, key);
      expect((await begin(store, key, { turnId: 'first' })).history).toHaveLength(2 * (ledgerTurnsMax + 1));
    });
  });
}
