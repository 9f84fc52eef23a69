// The time of one call to the model.

import { ChatError } from '../../chat/errors.ts';
import { transportError } from './upstream-error.ts';

/**
 * One call's time: its own AbortController, since a shared signal would collect listeners for ever
 * (nodejs/undici#3157), following the caller's signal until stopped.
 */
export class CallWatch {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #follow = () => this.abort();
  #timer: NodeJS.Timeout;
  #timedOutAfterMs: number | undefined;

  constructor(outer: AbortSignal, timeoutMs: number) {
    this.#outer = outer;
    this.#timer = this.#arm(timeoutMs);
    outer.addEventListener('abort', this.#follow, { once: true });
    if (outer.aborted) this.abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  extend(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#arm(timeoutMs);
  }

  abort(): void {
    this.#controller.abort();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#follow);
  }

  /** The task's value, or a failure as soon as the call is aborted. */
  race<T>(task: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const stop = () => reject(this.signal.reason);
    this.signal.addEventListener('abort', stop, { once: true });
    if (this.signal.aborted) stop();
    return Promise.race([task, promise]).finally(() => this.signal.removeEventListener('abort', stop));
  }

  /** Same, but no longer than `ms`; then it fails with `late`. */
  async raceWithin<T>(ms: number, task: Promise<T>, late: ChatError): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(late), ms);
    return this.race(Promise.race([task, promise])).finally(() => clearTimeout(timer));
  }

  async sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await this.race(promise).finally(() => clearTimeout(timer));
  }

  explain(error: unknown, hasAnswer: boolean): ChatError {
    if (error instanceof ChatError) return error;
    if (this.#timedOutAfterMs !== undefined) {
      const details = { cause: error, diagnosis: `silent for ${this.#timedOutAfterMs} ms` };
      return new ChatError('model_timeout', 'The model did not answer in time.', details);
    }
    return transportError(error, hasAnswer);
  }

  #arm(timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timedOutAfterMs = timeoutMs;
      this.abort();
    }, timeoutMs);
  }
}
