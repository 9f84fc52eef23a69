// One request and its answer, as undici's dispatcher gives it: pushed, piece by piece, from the socket to whoever takes it.
// A readable body would cost several times as much for each piece.

import type { Dispatcher } from 'undici';

/** An answer with another status than 200. */
export interface Refusal {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** `undefined` when it is too long to be read. */
  readonly body: Uint8Array | undefined;
}

/** An error body is read this far; Google's are a few kilobytes. */
const REFUSAL_BYTES_MAX = 256 * 1024;

export class Exchange implements Dispatcher.DispatchHandler {
  /** Resolves at the end of the answer. Fails with what undici or `take` threw, or with what it was stopped with. */
  readonly done: Promise<Refusal | undefined>;
  readonly #take: (bytes: Uint8Array) => void;
  readonly #onAnswer: () => void;
  readonly #resolve: (refusal: Refusal | undefined) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #stopped: Error | undefined;
  #status = 0;
  #retryAfter: string | undefined;
  #refusal: Uint8Array[] = [];
  #refusalBytes = 0;

  /** `onAnswer` is called when there is one: status 200. Its bytes are for `take`. */
  constructor(take: (bytes: Uint8Array) => void, onAnswer: () => void) {
    this.#take = take;
    this.#onAnswer = onAnswer;
    const { promise, resolve, reject } = Promise.withResolvers<Refusal | undefined>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Fails at once, also while it waits for a free connection: then it is not made when there is one. */
  stop(reason: Error): void {
    this.#stopped = reason;
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped) controller.abort(this.#stopped);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    { 'retry-after': retryAfter }: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    // Informational.
    if (status < 200) return;
    this.#status = status;
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
    if (status === 200) this.#onAnswer();
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Uint8Array): void {
    if (this.#status !== 200) {
      this.#keepRefusal(controller, bytes);
      return;
    }
    try {
      this.#take(bytes);
    } catch (error) {
      this.#reject(error);
      controller.abort(error as Error);
    }
  }

  onResponseEnd(): void {
    this.#resolve(
      this.#status === 200 ? undefined : this.#refusalWith(Buffer.concat(this.#refusal, this.#refusalBytes)),
    );
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#reject(error);
  }

  #keepRefusal(controller: Dispatcher.DispatchController, bytes: Uint8Array): void {
    this.#refusal.push(bytes);
    this.#refusalBytes += bytes.length;
    if (this.#refusalBytes <= REFUSAL_BYTES_MAX) return;
    this.#resolve(this.#refusalWith(undefined));
    controller.abort(new Error('a refusal that is too long'));
  }

  #refusalWith(body: Uint8Array | undefined): Refusal {
    return { status: this.#status, retryAfter: this.#retryAfter, body };
  }
}
