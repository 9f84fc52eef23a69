// What callers use, counted in Redis, over all replicas and by its clock. Every key has a lifetime of its own: what nobody asks
// for any more is gone within the window, or the lease.

import type { Counted, Place, Quotas, RateWindow, Requester } from '../../chat/quotas.ts';
import { Errands } from './errands.ts';
import { placesKey, requestsKey } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { SCRIPTS } from './scripts.ts';
import { number, text } from './stored-session.ts';

export class RedisQuotas implements Quotas {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #window: RateWindow;
  readonly #errands = new Errands();

  constructor(redis: RedisConnection, prefix: string, window: RateWindow) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#window = window;
  }

  async count(caller: Requester, requestsMax: number): Promise<Counted> {
    const { stepMs, steps } = this.#window;
    const args = [requestsMax, stepMs, steps];
    const [word, remaining, waitMs] = await this.#redis.run(SCRIPTS.spend, [requestsKey(this.#prefix, caller)], args);
    return { isAdmitted: text(word) === 'OK', remaining: number(remaining), waitMs: number(waitMs) };
  }

  async take(place: Place, { placesMax, leaseMs }: { placesMax: number; leaseMs: number }): Promise<boolean> {
    const [word] = await this.#redis.run(
      SCRIPTS.take,
      [placesKey(this.#prefix, place)],
      [place.id, placesMax, leaseMs],
    );
    return text(word) === 'TAKEN';
  }

  async keep(places: readonly [Place, ...Place[]], leaseMs: number): Promise<void> {
    const key = placesKey(this.#prefix, places[0]);
    await this.#redis.run(SCRIPTS.keep, [key], [leaseMs, ...places.map(({ id }) => id)]);
  }

  async free(place: Place): Promise<void> {
    const freed = this.#redis.call('ZREM', placesKey(this.#prefix, place), place.id);
    this.#errands.run(freed);
    await freed;
  }

  /** Waits for what is being freed, so that closing leaves nothing behind. */
  settle(): Promise<void> {
    return this.#errands.settle();
  }
}
