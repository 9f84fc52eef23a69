// The promises of the port Quotas, as one suite for every adapter.

import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Place, Quotas, RateWindow, Requester } from '../../src/chat/quotas.ts';
import { until } from '../support/until.ts';

export interface QuotasUnderTest {
  readonly quotas: Quotas;
  /** The same counts through another replica; the same object where there can be only one. */
  readonly other: Quotas;
  /** Ends both, and names whatever they would leave behind for ever. */
  close(): Promise<readonly string[]>;
}

export type MakeQuotas = (window: RateWindow) => Promise<QuotasUnderTest>;

/** Nothing leaves it while a test runs. */
const LONG: RateWindow = { stepMs: 5000, steps: 12 };
/** What is counted now is forgotten in a moment. */
const SHORT: RateWindow = { stepMs: 50, steps: 4 };
const SHORT_MS = SHORT.stepMs * SHORT.steps;

const anOwner = (): Requester => ({ kind: 'owner', name: `owner-${randomUUID()}` });
const aPlace = (owner: string = randomUUID(), kind: Place['kind'] = 'turns'): Place => ({
  owner,
  kind,
  id: randomUUID(),
});

export function quotasConformance(name: string, make: MakeQuotas): void {
  describe(`${name}, a Quotas, counts requests`, () => {
    let current: QuotasUnderTest;
    const under = async (window: RateWindow) => {
      current = await make(window);
      return current;
    };
    afterEach(async () => expect(await current.close()).toEqual([]));

    it('admits exactly as many as are allowed, of all that come at once, over replicas', async () => {
      const { quotas, other } = await under(LONG);
      const caller = anOwner();
      const asked = Array.from({ length: 60 }, (_, i) => (i % 2 ? quotas : other).count(caller, 25));
      const counted = await Promise.all(asked);
      expect(counted.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(25);
      expect(Math.min(...counted.map(({ remaining }) => remaining))).toBe(0);
    });

    it('tells what remains, and when more does: never later than the window and one step from now', async () => {
      const { quotas, other } = await under(LONG);
      const caller = anOwner();
      const counted = [await quotas.count(caller, 2), await other.count(caller, 2), await quotas.count(caller, 2)];
      expect(counted.map(({ isAdmitted, remaining }) => [isAdmitted, remaining])).toEqual([
        [true, 1],
        [true, 0],
        [false, 0],
      ]);
      for (const { waitMs } of counted) {
        expect(waitMs).toBeGreaterThanOrEqual(LONG.stepMs * (LONG.steps - 1));
        expect(waitMs).toBeLessThanOrEqual(LONG.stepMs * (LONG.steps + 1));
      }
    });

    it('does not mix up callers: owners, addresses, and an address that is named like an owner', async () => {
      const { quotas } = await under(LONG);
      const { name: same } = anOwner();
      const callers: Requester[] = [anOwner(), { kind: 'owner', name: same }, { kind: 'address', name: same }];
      for (const caller of callers) expect((await quotas.count(caller, 1)).isAdmitted).toBe(true);
      for (const caller of callers) expect((await quotas.count(caller, 1)).isAdmitted).toBe(false);
    });

    it('admits again once the time it has told has passed, and not before the window has', async () => {
      const { quotas } = await under(SHORT);
      const caller = anOwner();
      const firstAt = performance.now();
      await quotas.count(caller, 1);
      const { waitMs } = await quotas.count(caller, 1);
      expect(waitMs).toBeLessThanOrEqual(SHORT_MS + SHORT.stepMs);
      await until('it is admitted', async () => (await quotas.count(caller, 1)).isAdmitted, { everyMs: 1 });
      expect(performance.now() - firstAt).toBeGreaterThan(SHORT_MS - 2);
    });

    it('does not count what it refuses: who asks without a pause is admitted in time', async () => {
      const { quotas, other } = await under(SHORT);
      const caller = anOwner();
      let admitted = 0;
      const beganAt = performance.now();
      await until('nine more windows were used', async () => {
        const counted = await Promise.all([quotas.count(caller, 3), other.count(caller, 3)]);
        admitted += counted.filter(({ isAdmitted }) => isAdmitted).length;
        return admitted >= 30;
      });
      // Three in each window, never more: ten times three take at least nine windows.
      expect(performance.now() - beganAt).toBeGreaterThan(9 * SHORT_MS - SHORT.stepMs);
    });

    it('tells a wait that suffices when the limit has been lowered', async () => {
      const { quotas } = await under(SHORT);
      const caller = anOwner();
      for (let i = 0; i < 5; i += 1) await quotas.count(caller, 5);
      const { isAdmitted, remaining } = await quotas.count(caller, 2);
      expect({ isAdmitted, remaining }).toEqual({ isAdmitted: false, remaining: 0 });
      await until('it is admitted', async () => (await quotas.count(caller, 2)).isAdmitted);
    });
  });

  describe(`${name}, a Quotas, holds places`, () => {
    let current: QuotasUnderTest;
    beforeEach(async () => {
      current = await make(LONG);
    });
    afterEach(async () => expect(await current.close()).toEqual([]));
    const rules = { placesMax: 3, leaseMs: 60_000 };

    it('exactly as many as there are, of all that come at once, over replicas', async () => {
      const { quotas, other } = current;
      const owner = randomUUID();
      const taken = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? quotas : other).take(aPlace(owner), rules)),
      );
      expect(taken.filter(Boolean)).toHaveLength(3);
    });

    it('once, when it is asked for again', async () => {
      const { quotas, other } = current;
      const place = aPlace();
      expect([await quotas.take(place, rules), await other.take(place, rules)]).toEqual([true, true]);
      await quotas.take(aPlace(place.owner), rules);
      await quotas.take(aPlace(place.owner), rules);
      expect(await quotas.take(place, rules)).toBe(true);
      expect(await quotas.take(aPlace(place.owner), rules)).toBe(false);
    });

    it('until they are freed, on whatever replica, and as often as wanted', async () => {
      const { quotas, other } = current;
      const places = [aPlace('o'), aPlace('o'), aPlace('o')];
      for (const place of places) await quotas.take(place, rules);
      expect(await other.take(aPlace('o'), rules)).toBe(false);
      for (const place of [...places, ...places]) await other.free(place);
      for (const _ of places) expect(await quotas.take(aPlace('o'), rules)).toBe(true);
    });

    it('for each owner and each kind by itself', async () => {
      const { quotas } = current;
      const one = { placesMax: 1, leaseMs: 60_000 };
      expect(await quotas.take(aPlace('a', 'turns'), one)).toBe(true);
      expect(await quotas.take(aPlace('a', 'streams'), one)).toBe(true);
      expect(await quotas.take(aPlace('b', 'turns'), one)).toBe(true);
      expect(await quotas.take(aPlace('a', 'turns'), one)).toBe(false);
    });

    it('for a lease: those of a process that has died free themselves, those that are kept stay', async () => {
      const { quotas, other } = current;
      const brief = { placesMax: 2, leaseMs: 150 };
      const [dead, alive] = [aPlace('o'), aPlace('o')];
      await quotas.take(dead, brief);
      await quotas.take(alive, brief);
      await quotas.keep([alive], 60_000);
      expect(await other.take(aPlace('o'), brief)).toBe(false);
      await until('the place of the dead is free', () => other.take(aPlace('o'), { placesMax: 2, leaseMs: 60_000 }));
      expect(await other.take(aPlace('o'), brief)).toBe(false);
    });

    it('again, when they were lost while they were in use', async () => {
      const { quotas, other } = current;
      const place = aPlace('o');
      await quotas.keep([place], 60_000);
      expect(await other.take(aPlace('o'), { placesMax: 1, leaseMs: 1000 })).toBe(false);
    });
  });
}
