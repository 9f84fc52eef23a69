// Quotas that hold nobody up when their store is away: what cannot be counted is admitted. What really needs the store says so
// itself, by its own error.

import type { Clock } from './clock.ts';
import type { Counted, Place, Quotas, Requester } from './quotas.ts';

/**
 * So long nothing is asked after a failure: one request may have to ask several times, and must not wait for an answer each
 * time.
 */
const REST_MS = 1000;

/** Its members never fail; they answer `undefined` instead. */
export class LenientQuotas {
  readonly #quotas: Quotas;
  readonly #clock: Clock;
  readonly #onAway: (cause: unknown) => void;
  #restsUntilMs = 0;

  /** `onAway` is told of every failure that lets somebody pass. */
  constructor(quotas: Quotas, clock: Clock, onAway: (cause: unknown) => void) {
    this.#quotas = quotas;
    this.#clock = clock;
    this.#onAway = onAway;
  }

  count(caller: Requester, requestsMax: number): Promise<Counted | undefined> {
    return this.#ask(() => this.#quotas.count(caller, requestsMax));
  }

  take(place: Place, rules: Parameters<Quotas['take']>[1]): Promise<boolean | undefined> {
    return this.#ask(() => this.#quotas.take(place, rules));
  }

  keep(places: readonly [Place, ...Place[]], leaseMs: number): Promise<void> {
    return this.#ask(() => this.#quotas.keep(places, leaseMs));
  }

  free(place: Place): Promise<void> {
    return this.#ask(() => this.#quotas.free(place));
  }

  async #ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    if (this.#clock.now() < this.#restsUntilMs) return undefined;
    try {
      return await question();
    } catch (cause) {
      this.#restsUntilMs = this.#clock.now() + REST_MS;
      this.#onAway(cause);
      return undefined;
    }
  }
}
