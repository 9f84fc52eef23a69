// How long a session lives. Real time, but no sleeps: one session is the clock by which others are judged.

import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import {
  aChange,
  aChoice,
  aFailure,
  aKey,
  anEnding,
  anImport,
  aReap,
  aSession,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  historyOf,
  isGone,
} from '../builders.ts';
import type { Bench } from './bench.ts';

export function lifetimeBehaves(bench: Bench): void {
  async function create(ttlS: number) {
    const key = aKey();
    await bench.store.create(key, aSession({ ttlS, messages: [bytes('a')] }));
    return key;
  }

  describe('the lifetime of a session', () => {
    it('slides with changes and turns, not with reads', async () => {
      const { store } = bench;
      const [read, changed, asked] = await Promise.all([create(0.3), create(0.3), create(0.3)]);
      let version = 1;
      await until('the session that is only read has expired', async () => {
        await store.update(changed, aChange(version, { ttlS: 0.3 }));
        version += 1;
        const turn = await begin(store, asked, { leaseMs: 1 });
        await store.finish(asked, aFailure(turn));
        await store.list(read.owner, 10);
        await store.readFrames(read, 1, 0);
        if (await isGone(store, read)) return true;
        await historyOf(store, read).catch(() => undefined);
        await store.readTurn(read, 'x').catch(() => undefined);
        return false;
      });
      expect(await isGone(store, changed)).toBe(false);
      expect(await isGone(store, asked)).toBe(false);
    });

    it('slides with choices and imports', async () => {
      const { store } = bench;
      const [clock, chosen, imported] = await Promise.all([create(0.3), create(0.3), create(0.3)]);
      const { turnId } = await commitTurn(store, chosen);
      let changes = 0;
      await until('the session that nobody touches has expired', async () => {
        await store.choose(chosen, aChoice(turnId, 2 + changes));
        await store.importMessages(imported, anImport(['a'], 1 + changes));
        changes += 1;
        return isGone(store, clock);
      });
      expect(await isGone(store, chosen)).toBe(false);
      expect(await isGone(store, imported)).toBe(false);
    });

    it('ends for all of it', async () => {
      const { store } = bench;
      const key = await create(0.1);
      const turn = await commitTurn(store, key);
      await until('the session has expired', () => isGone(store, key));
      // Redis lets each key go by itself, a moment apart.
      await until('and its events', async () => (await store.readFrames(key, turn.epoch, 0)).length === 0);
      expect(await store.append(key, turn.epoch, { afterSeq: 1, lastSeq: 2, frames: bytes('x') })).toEqual({
        outcome: 'gone',
      });
      expect(await store.finish(key, anEnding(turn))).toEqual({ outcome: 'gone' });
      expect(await store.list(key.owner, 10)).toEqual({ items: [] });
    });

    it('does not end under a running turn, and slides from its end', async () => {
      const { store } = bench;
      const [idle, busy] = await Promise.all([create(0.2), create(0.2)]);
      const turn = await begin(store, busy, { leaseMs: 10_000 });
      await until('the idle session has expired', () => isGone(store, idle));
      expect(await historyOf(store, busy)).toEqual(['a']);
      expect(await store.finish(busy, anEnding(turn))).toEqual({ outcome: 'finished', version: 2 });
      expect(await historyOf(store, busy)).toHaveLength(3);
      await until('the other one expires, too', () => isGone(store, busy));
    });

    it('does not end as long as the producer of its turn promises to be alive', async () => {
      const { store } = bench;
      const [clock, busy] = await Promise.all([create(0.8), create(0.1)]);
      const turn = await begin(store, busy, { leaseMs: 200 });
      await until('four leases have passed', async () => {
        expect(await store.renew(busy, turn.epoch, 200)).toEqual({ outcome: 'renewed' });
        return isGone(store, clock);
      });
      expect(await store.finish(busy, anEnding(turn))).toEqual({ outcome: 'finished', version: 2 });
    });

    it('is not cut short under a running turn by a change', async () => {
      const { store } = bench;
      const [clock, busy] = await Promise.all([create(0.3), create(600)]);
      const turn = await begin(store, busy, { leaseMs: 10_000 });
      await store.update(busy, aChange(1, { ttlS: 0.5 }));
      await until('that lifetime has passed', () => isGone(store, clock));
      expect(await store.finish(busy, anEnding(turn, { version: 3 }))).toEqual({ outcome: 'finished', version: 3 });
      await until('the change holds after the turn', () => isGone(store, busy));
    });

    it('ends also when the producer of a running turn is dead', async () => {
      const { store } = bench;
      const key = await create(0.1);
      await begin(store, key, { leaseMs: 20 });
      await until('the session has expired', () => isGone(store, key));
    });

    it('slides when a dead turn is reaped', async () => {
      const { store } = bench;
      const [clock, reaped] = await Promise.all([create(0.3), create(0.5)]);
      const turn = await beginDeadTurn(store, reaped);
      await until('some time has passed', () => isGone(store, clock));
      expect(await store.reap(reaped, aReap(turn))).toBe(true);
      const again = await create(0.3);
      await until('more than the rest has passed', () => isGone(store, again));
      expect(await isGone(store, reaped)).toBe(false);
    });

    it('can be changed', async () => {
      const { store } = bench;
      const key = await create(600);
      await store.update(key, aChange(1, { ttlS: 0.5 }));
      await until('the session has expired', () => isGone(store, key));
    });
  });
}
