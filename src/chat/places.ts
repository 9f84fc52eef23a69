// The places of one kind that this process holds for owners. Each is a lease, so that those of a process that dies free
// themselves; one timer renews them all.

import type { Clock, NewId } from './clock.ts';
import { ChatError } from './errors.ts';
import type { LenientQuotas } from './lenient-quotas.ts';
import type { Place } from './quotas.ts';

export interface PlaceRules {
  readonly kind: Place['kind'];
  /** Of one owner, over all processes; 0 for as many as it wants. */
  readonly placesMax: number;
  readonly leaseMs: number;
}

export interface PlaceDependencies {
  readonly quotas: LenientQuotas;
  readonly clock: Clock;
  readonly newId: NewId;
}

/** Idempotent. */
export type LeavePlace = () => void;

export class Places {
  readonly #rules: PlaceRules;
  readonly #deps: PlaceDependencies;
  readonly #held = new Map<string, Map<string, Place>>();
  #stopRenewal: LeavePlace | undefined;

  constructor(rules: PlaceRules, deps: PlaceDependencies) {
    this.#rules = rules;
    this.#deps = deps;
  }

  /** Hold a place until it is left. A store that is away refuses nobody. Fails with `rate_limited` when all are held. */
  async take(owner: string): Promise<LeavePlace> {
    const { kind, placesMax } = this.#rules;
    if (placesMax === 0) return () => {};
    const place: Place = { owner, kind, id: this.#deps.newId() };
    if ((await this.#deps.quotas.take(place, this.#rules)) === false) {
      throw new ChatError(
        'rate_limited',
        `${placesMax} ${kind} of this owner are open, and no more may be at a time.`,
        {
          retryAfterS: 1,
        },
      );
    }
    this.#hold(place);
    return () => this.#leave(place);
  }

  #hold(place: Place): void {
    const held = this.#held.get(place.owner) ?? new Map<string, Place>();
    this.#held.set(place.owner, held.set(place.id, place));
    this.#scheduleRenewal();
  }

  #leave(place: Place): void {
    const held = this.#held.get(place.owner);
    if (!held?.delete(place.id)) return;
    if (held.size === 0) this.#held.delete(place.owner);
    if (this.#held.size === 0) {
      this.#stopRenewal?.();
      this.#stopRenewal = undefined;
    }
    void this.#deps.quotas.free(place);
  }

  /** Four times in a lease: three renewals may be lost. */
  #scheduleRenewal(): void {
    const { leaseMs } = this.#rules;
    this.#stopRenewal ??= this.#deps.clock.after(leaseMs / 4, () => {
      this.#stopRenewal = undefined;
      for (const held of this.#held.values()) {
        const [first, ...others] = held.values();
        if (first) void this.#deps.quotas.keep([first, ...others], leaseMs);
      }
      if (this.#held.size > 0) this.#scheduleRenewal();
    });
  }
}
