// requestCancel: how a turn is ended from anywhere.

import { describe, expect, it } from 'vitest';
import type { CancelRequest } from '../../../src/chat/turn-store.ts';
import { until } from '../../support/until.ts';
import { aBatch, aKey, anEnding, aReap, aSession, begin, beginDeadTurn, refusalOf } from '../builders.ts';
import type { Bench } from './bench.ts';

export function cancelBehaves(bench: Bench): void {
  async function running() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    return { store, other, key, turn: await begin(store, key) };
  }

  describe('requestCancel', () => {
    it('is told to the producer by its next append and its next renewal, and by those after', async () => {
      const { store, other, key, turn } = await running();
      expect(await store.append(key, turn.epoch, aBatch(0, 1))).toEqual({ outcome: 'appended' });
      expect(await other.requestCancel(key, turn.turnId, 'partial')).toBe(true);
      const told = { cancel: 'partial' };
      expect(await store.append(key, turn.epoch, aBatch(1, 2))).toEqual({ outcome: 'appended', ...told });
      expect(await store.append(key, turn.epoch, aBatch(1, 2))).toEqual({ outcome: 'appended', ...told });
      expect(await store.renew(key, turn.epoch, 60_000)).toEqual({ outcome: 'renewed', ...told });
    });

    it('is told to the replica that began the turn, soon', async () => {
      const { store, other, key, turn } = await running();
      const told: CancelRequest[] = [];
      store.onCancel((request) => told.push(request));
      // The subscription is made behind the scenes: ask until it is heard, as clients may.
      await until('the producer has been told', async () => {
        await other.requestCancel(key, turn.turnId, 'none');
        return told.length > 0;
      });
      expect(told[0]).toEqual({ key, epoch: turn.epoch, keep: 'none' });
    });

    it('is told, soon, when the session is deleted', async () => {
      const { store, other, key } = await running();
      const told: CancelRequest[] = [];
      store.onCancel((request) => told.push(request));
      await until('the producer of a session that is deleted has been told', async () => {
        await other.delete(key);
        await store.create(key, aSession());
        await begin(store, key);
        return told.length > 0;
      });
      expect(told[0]).toMatchObject({ key, keep: 'none' });
    });

    it('is decided by the first who asks', async () => {
      const { store, other, key, turn } = await running();
      await other.requestCancel(key, turn.turnId, 'partial');
      await store.requestCancel(key, turn.turnId, 'none');
      expect(await store.renew(key, turn.epoch, 60_000)).toMatchObject({ cancel: 'partial' });
    });

    it('changes nothing but that: the turn can still end in any way', async () => {
      const { store, other, key, turn } = await running();
      await other.requestCancel(key, turn.turnId, 'none');
      expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'finished', version: 2 });
      const next = await begin(store, key);
      expect(await store.renew(key, next.epoch, 60_000)).toEqual({ outcome: 'renewed' });
    });

    it('is false for a turn that is over, and leaves the one that runs alone', async () => {
      const { store, other, key, turn } = await running();
      await store.finish(key, anEnding(turn));
      const next = await begin(store, key);
      expect(await other.requestCancel(key, turn.turnId, 'none')).toBe(false);
      expect(await store.renew(key, next.epoch, 60_000)).toEqual({ outcome: 'renewed' });
    });

    it('does not outlive a dead producer', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const dead = await beginDeadTurn(store, key);
      expect(await other.requestCancel(key, dead.turnId, 'none')).toBe(true);
      expect(await other.reap(key, aReap(dead))).toBe(true);
      const next = await begin(store, key);
      expect(await store.renew(key, next.epoch, 60_000)).toEqual({ outcome: 'renewed' });
    });

    it('fails with turn_not_found, or session_not_found', async () => {
      const { store, key } = await running();
      expect(await refusalOf(store.requestCancel(key, 'nobody', 'none'))).toBe('turn_not_found');
      expect(await refusalOf(store.requestCancel(aKey(), 'nobody', 'none'))).toBe('session_not_found');
    });
  });
}
