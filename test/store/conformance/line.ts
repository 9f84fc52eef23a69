// begin with a wish to wait, leave and letGo: who is next when a session is busy.

import { describe, expect, it } from 'vitest';
import type { BeginTurn } from '../../../src/chat/claim.ts';
import { until } from '../../support/until.ts';
import { aKey, anEnding, aSession, aTurn, begin, bytes, plain, recordOf, refusalOf, stateOf } from '../builders.ts';
import type { Bench } from './bench.ts';

const PLACES = 3;

export function lineBehaves(bench: Bench): void {
  /** A session with a turn that runs. */
  async function busy() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    const running = await begin(store, key);
    const end = () => store.finish(key, anEnding(running));
    /** Tries to get on: takes a place, keeps it, or begins. */
    const wants = (turn: BeginTurn, onBusy: BeginTurn['onBusy'] = 'enqueue') => other.begin(key, { ...turn, onBusy });
    return { store, other, key, running, end, wants };
  }

  const waits = (place: number) => ({ outcome: 'waits', place });

  describe('a line', () => {
    it('gives places in order, and keeps them', async () => {
      const { running, wants } = await busy();
      const [a, b] = [aTurn(), aTurn()];
      const holder = { turnId: running.turnId, epoch: running.epoch, hasLease: true, isWaiting: false };
      expect(await wants(a)).toEqual({ ...waits(1), holder });
      expect(await wants(b)).toEqual({ ...waits(2), holder });
      expect(await wants(a, 'waiting')).toMatchObject(waits(1));
      expect(await wants(b, 'waiting')).toMatchObject(waits(2));
      expect(await wants(a)).toMatchObject(waits(1));
    });

    it('lets the first begin when the session is free, and nobody else', async () => {
      const { store, key, end, wants } = await busy();
      const [a, b] = [aTurn(), aTurn()];
      await wants(a);
      await wants(b);
      await end();
      expect(await wants(b, 'waiting')).toMatchObject({ ...waits(2), holder: { turnId: a.turnId, isWaiting: true } });
      expect(await store.begin(key, aTurn())).toMatchObject({ outcome: 'busy', turnId: a.turnId, isWaiting: true });
      expect(await wants(a, 'waiting')).toMatchObject({ outcome: 'begun' });
      expect(await wants(b, 'waiting')).toMatchObject({ ...waits(1), holder: { turnId: a.turnId, isWaiting: false } });
    });

    it('shows who begins from it what has been committed meanwhile', async () => {
      const { running, end, wants } = await busy();
      const a = aTurn();
      await wants(a);
      await end();
      const begun = await wants(a, 'waiting');
      const committed = [`question of ${running.turnId}`, `answer of ${running.turnId}`];
      expect(begun.outcome === 'begun' && begun.history?.map(plain)).toEqual(committed);
    });

    it('is jumped by who interrupts', async () => {
      const { end, wants } = await busy();
      const [a, b] = [aTurn(), aTurn()];
      await wants(a);
      expect(await wants(b, 'interrupt')).toMatchObject(waits(1));
      expect(await wants(a, 'waiting')).toMatchObject(waits(2));
      await end();
      expect(await wants(b, 'waiting')).toMatchObject({ outcome: 'begun' });
    });

    it('has those who interrupt in the order in which they came, before all others', async () => {
      const { wants } = await busy();
      const [a, b, c] = [aTurn(), aTurn(), aTurn()];
      await wants(a);
      expect(await wants(b, 'interrupt')).toMatchObject(waits(1));
      expect(await wants(c, 'interrupt')).toMatchObject(waits(2));
      for (const [index, turn] of [b, c, a].entries())
        expect(await wants(turn, 'waiting')).toMatchObject(waits(index + 1));
    });

    it('has one place for a turn id, and keeps it for the attempt that took it', async () => {
      const { store, key, end, wants } = await busy();
      const a = aTurn();
      await wants(a);
      const second = aTurn({ turnId: a.turnId, record: bytes('of the second') });
      for (const onBusy of ['reject', 'enqueue', 'interrupt'] as const) {
        expect(await wants(second, onBusy)).toEqual({ outcome: 'turn_exists' });
      }
      expect(await wants(second, 'waiting')).toEqual({ outcome: 'left' });
      await end();
      expect(await wants(a, 'waiting')).toMatchObject({ outcome: 'begun' });
      expect(await recordOf(store, key, a.turnId)).toBe(`running ${a.turnId}`);
    });

    it('has an end', async () => {
      const { wants } = await busy();
      for (let place = 1; place <= PLACES; place += 1) expect(await wants(aTurn())).toMatchObject(waits(place));
      expect(await wants(aTurn())).toEqual({ outcome: 'queue_full' });
      expect(await wants(aTurn(), 'interrupt')).toEqual({ outcome: 'queue_full' });
    });

    it('is not stood in by who finds the session free', async () => {
      const { store, key, end, wants } = await busy();
      await end();
      expect(await wants(aTurn())).toMatchObject({ outcome: 'begun' });
      expect((await store.read(key)).running).toBeDefined();
    });

    it('shows who waits as it was given, until it runs', async () => {
      const { store, key, end, wants } = await busy();
      const a = aTurn();
      await wants(a);
      expect(await recordOf(store, key, a.turnId)).toBe(`queued ${a.turnId}`);
      expect((await store.read(key)).running?.turnId).not.toBe(a.turnId);
      await end();
      await wants(a, 'waiting');
      expect(await recordOf(store, key, a.turnId)).toBe(`running ${a.turnId}`);
    });

    it('checks what a turn needs when its time has come, not before', async () => {
      const { end, wants } = await busy();
      const a = aTurn({ ifVersion: 1 });
      expect(await wants(a)).toMatchObject(waits(1));
      await end();
      expect(await wants(a, 'waiting')).toEqual({ outcome: 'version_mismatch', version: 2 });
    });

    it('is claimed once by an idempotency key', async () => {
      const { wants } = await busy();
      const idempotency = { key: 'k', fingerprint: 'f', ttlMs: 60_000 };
      const a = aTurn({ idempotency });
      await wants(a);
      expect(await wants(aTurn({ idempotency }))).toEqual({ outcome: 'repeated', turnId: a.turnId });
      expect(await wants(a, 'waiting')).toMatchObject(waits(1));
    });

    it('goes with its session', async () => {
      const { store, key, wants } = await busy();
      const a = aTurn();
      await wants(a);
      await store.delete(key);
      await store.create(key, aSession());
      expect(await wants(a, 'waiting')).toEqual({ outcome: 'left' });
      expect(await wants(aTurn())).toMatchObject({ outcome: 'begun' });
    });
  });

  describe('leave', () => {
    it('ends a turn that waits, with its record, and the line moves on', async () => {
      const { store, other, key, end, wants } = await busy();
      const [a, b] = [aTurn(), aTurn()];
      await wants(a);
      await wants(b);
      expect(await store.leave(key, { turnId: a.turnId, record: bytes('gone'), onlyIfDead: false })).toBe(true);
      expect(await recordOf(other, key, a.turnId)).toBe('gone');
      expect(await wants(a, 'waiting')).toEqual({ outcome: 'left' });
      expect(await wants(b, 'waiting')).toMatchObject(waits(1));
      await end();
      expect(await wants(b, 'waiting')).toMatchObject({ outcome: 'begun' });
      expect(await wants({ ...a, attempt: 'another' })).toEqual({ outcome: 'turn_exists' });
    });

    it('is false for who does not wait, and for who is there when only the dead are to go', async () => {
      const { store, key, running, wants } = await busy();
      const a = aTurn();
      await wants(a);
      expect(await store.leave(key, { turnId: a.turnId, record: bytes('x'), onlyIfDead: true })).toBe(false);
      expect(await store.leave(key, { turnId: running.turnId, record: bytes('x'), onlyIfDead: false })).toBe(false);
      expect(await wants(a, 'waiting')).toMatchObject(waits(1));
    });

    it('lets the dead go: whoever is behind them is told', async () => {
      const { store, key, end, wants } = await busy();
      const [dead, b] = [aTurn({ leaseMs: 1 }), aTurn()];
      await wants(dead);
      await wants(b);
      await end();
      await until('its lease is over', async () => {
        const begun = await wants(b, 'waiting');
        return begun.outcome === 'waits' && !begun.holder.hasLease && begun.holder.turnId === dead.turnId;
      });
      expect(await store.leave(key, { turnId: dead.turnId, record: bytes('x'), onlyIfDead: true })).toBe(true);
      expect(await wants(b, 'waiting')).toMatchObject({ outcome: 'begun' });
    });
  });

  describe('letGo', () => {
    const idempotency = { key: 'k', fingerprint: 'f', ttlMs: 60_000 };

    it('takes back a claim that was made, as if it had not been', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const before = await stateOf(store, key);
      const turn = aTurn({ idempotency });
      const begun = await store.begin(key, turn);
      await other.letGo(key, { turnId: turn.turnId, attempt: 'another' });
      expect(await other.begin(key, aTurn())).toMatchObject({ outcome: 'busy', hasLease: true });
      await other.letGo(key, turn);
      await other.letGo(key, turn);
      expect(await stateOf(store, key)).toEqual(before);
      expect(await refusalOf(store.readTurn(key, turn.turnId))).toBe('turn_not_found');
      const again = await other.begin(key, aTurn({ turnId: turn.turnId, idempotency }));
      expect(again).toMatchObject({ outcome: 'begun' });
      const epochs = [begun, again].map((one) => (one.outcome === 'begun' ? one.epoch : 0));
      expect(epochs[1]).toBeGreaterThan(epochs[0] ?? 0);
    });

    it('makes a place in line free, and is nothing for a claim that was not made, nor without a session', async () => {
      const { store, key, wants } = await busy();
      const [a, never] = [aTurn({ idempotency }), aTurn()];
      await wants(a);
      await store.letGo(key, never);
      await store.letGo(aKey(), never);
      await store.letGo(key, { ...a, attempt: 'another' });
      expect(await wants(a, 'waiting')).toMatchObject(waits(1));
      await store.letGo(key, a);
      expect(await wants(a, 'waiting')).toEqual({ outcome: 'left' });
      expect(await wants(aTurn({ turnId: a.turnId, idempotency }))).toMatchObject(waits(1));
    });
  });
}
