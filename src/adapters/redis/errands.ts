// What is done beside the caller's way: it may fail, and closing waits for it.

import { asChatError } from '../../chat/errors.ts';

/** With pauses of 100 ms, doubled each time up to the longest: about four minutes. */
const TRIES_MAX = 20;
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 15_000;
/** How many errands may wait for another try. Who comes beyond them has only one: an outage must not fill the memory. */
const PAUSING_MAX = 10_000;

export class Errands {
  readonly #pending = new Set<Promise<unknown>>();
  /** Ends the pause of each that waits for another try. */
  readonly #pausing = new Set<() => void>();
  #isClosing = false;

  run(errand: Promise<unknown>): void {
    const pending = errand.catch(() => undefined).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** For what nobody makes good later: tried again while the store is away. It may happen more than once. */
  insist(errand: () => Promise<unknown>): void {
    this.run(this.#insist(errand));
  }

  /** Whoever waits for another try has it now, and it is the last one. */
  async settle(): Promise<void> {
    this.#isClosing = true;
    for (const wake of this.#pausing) wake();
    await Promise.all(this.#pending);
  }

  async #insist(errand: () => Promise<unknown>): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await errand();
      } catch (error) {
        const isHopeless = this.#isClosing || tries === TRIES_MAX || this.#pausing.size >= PAUSING_MAX;
        if (isHopeless || asChatError(error).code !== 'store_unavailable') throw error;
      }
      await this.#pause(Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** (tries - 1)));
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#pausing.add(resolve);
    await promise;
    this.#pausing.delete(resolve);
    clearTimeout(timer);
  }
}
