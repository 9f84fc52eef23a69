// The time of one call to the model.

import { ChatError } from '../../chat/errors.ts';
import { transportError } from './upstream-error.ts';

/** Why a call that was stopped failed, when nobody else says so. */
const STOPPED = new Error('The call was stopped.');

/**
 * One call's time: it follows the caller's signal until it is over, and stops whatever was asked to be stopped, once. Not an
 * AbortSignal of its own: that costs more than the rest of a call's time, and a shared one would collect listeners for ever
 * (nodejs/undici#3157).
 */
export class CallWatch {
  readonly #outer: AbortSignal;
  readonly #stops = new Set<(reason: Error) => void>();
  readonly #follow = () => this.#stop();
  #timer: NodeJS.Timeout;
  #timerMs: number;
  #timedOutAfterMs: number | undefined;
  #isStopped = false;
  #hasAnswer = false;

  constructor(outer: AbortSignal, timeoutMs: number) {
    this.#outer = outer;
    this.#timerMs = timeoutMs;
    this.#timer = this.#arm(timeoutMs);
    outer.addEventListener('abort', this.#follow, { once: true });
    if (outer.aborted) this.#stop();
  }

  /** Its answer has begun. */
  answer(): void {
    this.#hasAnswer = true;
  }

  /** The next silence may be so long. Called for every event. */
  extend(timeoutMs: number): void {
    if (timeoutMs === this.#timerMs) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerMs = timeoutMs;
    this.#timer = this.#arm(timeoutMs);
  }

  /** The call is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#follow);
    this.#stops.clear();
  }

  /** Calls `stop` when the call is stopped, at once if it has been; until the returned function is called. */
  onStop(stop: (reason: Error) => void): () => void {
    this.#stops.add(stop);
    if (this.#isStopped) stop(STOPPED);
    return () => this.#stops.delete(stop);
  }

  /** The task's value, or a failure as soon as the call is stopped. */
  race<T>(task: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const forget = this.onStop(reject);
    task.then(resolve, reject).finally(forget);
    return promise;
  }

  /** Same, but no longer than `ms`; then it fails with what `late` makes. */
  async raceWithin<T>(ms: number, task: Promise<T>, late: () => ChatError): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(late()), ms);
    return this.race(Promise.race([task, promise])).finally(() => clearTimeout(timer));
  }

  async sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await this.race(promise).finally(() => clearTimeout(timer));
  }

  explain(error: unknown): ChatError {
    if (error instanceof ChatError) return error;
    if (this.#timedOutAfterMs !== undefined) {
      const details = { cause: error, diagnosis: `silent for ${this.#timedOutAfterMs} ms` };
      return new ChatError('model_timeout', 'The model did not answer in time.', details);
    }
    return transportError(error, this.#hasAnswer);
  }

  #stop(): void {
    this.#isStopped = true;
    for (const stop of this.#stops) stop(STOPPED);
  }

  #arm(timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timedOutAfterMs = timeoutMs;
      this.#stop();
    }, timeoutMs);
  }
}
