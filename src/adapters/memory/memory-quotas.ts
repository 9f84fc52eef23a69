// What callers use, counted in this process.

import type { Clock } from '../../chat/clock.ts';
import type { Counted, Place, Quotas, RateWindow, Requester } from '../../chat/quotas.ts';

/** Callers that are remembered. Whoever has asked for longest ago makes room: addresses can be made up without end. */
const CALLERS_MAX = 10_000;

export class MemoryQuotas implements Quotas {
  readonly #clock: Clock;
  readonly #window: RateWindow;
  /** By caller, the one that was counted last at the end; requests by the number of their step. */
  readonly #requests = new Map<string, Map<number, number>>();
  /** By owner and kind: until when each place is held. */
  readonly #places = new Map<string, Map<string, number>>();

  constructor(clock: Clock, window: RateWindow) {
    this.#clock = clock;
    this.#window = window;
  }

  async count(caller: Requester, requestsMax: number): Promise<Counted> {
    const { stepMs, steps } = this.#window;
    const nowMs = this.#clock.now();
    const now = Math.floor(nowMs / stepMs);
    const counts = this.#countsOf(`${caller.kind} ${caller.name}`, now - steps);
    const used = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const isAdmitted = used < requestsMax;
    if (isAdmitted) counts.set(now, (counts.get(now) ?? 0) + 1);
    let over = isAdmitted ? 0 : used - requestsMax;
    let waitMs = 0;
    for (const [step, count] of counts) {
      waitMs = (step + steps + 1) * stepMs - nowMs;
      over -= count;
      if (over < 0) break;
    }
    return { isAdmitted, remaining: Math.max(0, requestsMax - used - (isAdmitted ? 1 : 0)), waitMs };
  }

  async take(place: Place, { placesMax, leaseMs }: { placesMax: number; leaseMs: number }): Promise<boolean> {
    const held = this.#heldLike(place);
    for (const [id, untilMs] of held) if (untilMs <= this.#clock.now()) held.delete(id);
    if (!held.has(place.id) && held.size >= placesMax) return false;
    held.set(place.id, this.#clock.now() + leaseMs);
    return true;
  }

  async keep(places: readonly [Place, ...Place[]], leaseMs: number): Promise<void> {
    for (const place of places) this.#heldLike(place).set(place.id, this.#clock.now() + leaseMs);
  }

  async free(place: Place): Promise<void> {
    const held = this.#heldLike(place);
    held.delete(place.id);
    if (held.size === 0) this.#places.delete(nameOf(place));
  }

  /** In their order; those before `first` count no more. */
  #countsOf(name: string, first: number): Map<number, number> {
    const counts = this.#requests.get(name) ?? new Map<number, number>();
    this.#requests.delete(name);
    this.#requests.set(name, counts);
    for (const step of counts.keys()) if (step < first) counts.delete(step);
    const [oldest = name] = this.#requests.keys();
    if (this.#requests.size > CALLERS_MAX) this.#requests.delete(oldest);
    return counts;
  }

  #heldLike(place: Place): Map<string, number> {
    const name = nameOf(place);
    const held = this.#places.get(name) ?? new Map<string, number>();
    this.#places.set(name, held);
    return held;
  }
}

function nameOf({ kind, owner }: Place): string {
  return `${kind} ${owner}`;
}
