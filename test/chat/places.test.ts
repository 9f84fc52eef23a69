// The places that a process holds: kept while they are in use, left once, and none of them after its process has died.

import { expect, it } from 'vitest';
import { MemoryQuotas } from '../../src/adapters/memory/memory-quotas.ts';
import { LenientQuotas } from '../../src/chat/lenient-quotas.ts';
import { Places } from '../../src/chat/places.ts';
import { type Quotas, RATE_WINDOW } from '../../src/chat/quotas.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { storeAway } from '../support/wrapped-store.ts';

const LEASE_MS = 20_000;

class Scene {
  readonly clock = new ManualClock();
  readonly quotas = new MemoryQuotas(this.clock, RATE_WINDOW);
  readonly failures: unknown[] = [];
  isAway = false;
  /** How often it was asked while it was away. */
  askedInVain = 0;
  #ids = 0;

  /** Of one replica; all of them count in the same store. */
  places(placesMax = 2): Places {
    const rules = { kind: 'turns', placesMax, leaseMs: LEASE_MS } as const;
    const quotas = new LenientQuotas(this.#asSeen(), this.clock, (failure) => this.failures.push(failure));
    return new Places(rules, { quotas, clock: this.clock, newId: () => this.#newId() });
  }

  #newId(): string {
    this.#ids += 1;
    return `${this.#ids}`;
  }

  #asSeen(): Quotas {
    const whenThere = <Args extends unknown[], T>(ask: (...args: Args) => Promise<T>) => {
      return async (...args: Args) => {
        if (!this.isAway) return ask(...args);
        this.askedInVain += 1;
        throw storeAway();
      };
    };
    const { quotas } = this;
    return {
      count: whenThere((...args) => quotas.count(...args)),
      take: whenThere((...args) => quotas.take(...args)),
      keep: whenThere((...args) => quotas.keep(...args)),
      free: whenThere((...args) => quotas.free(...args)),
    };
  }
}

const isRefused = (taking: Promise<unknown>) =>
  taking.then(
    () => false,
    ({ code, retryable, details }) => code === 'rate_limited' && retryable && details.retryAfterS === 1,
  );

it('are held for as long as they are in use, and are free when they are left, as often as that is said', async () => {
  const scene = new Scene();
  const [here, there] = [scene.places(), scene.places()];
  const leave = await here.take('o');
  await there.take('o');
  await scene.clock.advance(10 * LEASE_MS);
  expect(await isRefused(here.take('o'))).toBe(true);
  leave();
  leave();
  await there.take('o');
  expect(await isRefused(here.take('o'))).toBe(true);
});

it('keep no timer when nobody holds one', async () => {
  const scene = new Scene();
  const places = scene.places();
  const leaves = [await places.take('a'), await places.take('b')];
  expect(scene.clock.pending).toBe(1);
  for (const leave of leaves) leave();
  expect(scene.clock.pending).toBe(0);
});

it('of a process that has died are free after a lease', async () => {
  const scene = new Scene();
  // Nobody renews it.
  await scene.quotas.take({ kind: 'turns', owner: 'o', id: 'dead' }, { placesMax: 1, leaseMs: LEASE_MS });
  const alive = scene.places(1);
  expect(await isRefused(alive.take('o'))).toBe(true);
  await scene.clock.advance(LEASE_MS);
  await alive.take('o');
});

it('are given to everybody while the store is away, which is asked once a second and not more, and told of', async () => {
  const scene = new Scene();
  const places = scene.places(1);
  await places.take('o');
  scene.isAway = true;
  const taken = [await places.take('o'), await places.take('o'), await places.take('o')];
  expect(scene.askedInVain).toBe(1);
  expect(scene.failures).toHaveLength(1);
  await scene.clock.advance(1000);
  await places.take('o');
  expect(scene.askedInVain).toBe(2);
  scene.isAway = false;
  // What was given meanwhile is in use, and counts as soon as it can be told.
  await scene.clock.advance(LEASE_MS / 4);
  for (const leave of taken) leave();
  expect(await isRefused(scene.places(2).take('o'))).toBe(true);
});

it('are as many as wanted when there is no limit, and then nobody counts them', async () => {
  const scene = new Scene();
  scene.isAway = true;
  const places = scene.places(0);
  for (let i = 0; i < 100; i += 1) await places.take('o');
  expect({ asked: scene.askedInVain, timers: scene.clock.pending }).toEqual({ asked: 0, timers: 0 });
});
