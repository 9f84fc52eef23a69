// A streamed answer: pieces of text to iterate over, and the whole turn at the end.

import type { Turn } from '../chat/turn.ts';
import type { CancelOptions } from './chat-options.ts';
import type { TextGenerationResponse } from './responses.ts';
import { type PiecesSource, piecesOf } from './turn-pieces.ts';
import { follow } from './waiting.ts';

/** What a stream needs of its session. */
export interface StreamSource extends Omit<PiecesSource, 'isCancelled'> {
  /** Ends the turn, and answers with it. */
  readonly cancel: (options: CancelOptions) => Promise<Turn>;
  /** The stream was left while the turn may still be running. */
  readonly leave: () => void;
}

/**
 * What `sendMessageStreaming` answers with. Nothing is sent before the first `next()`. It can be read once, like the
 * seed's generator; leaving the loop (`break`, a throw) ends the connection.
 */
export class TurnStream implements AsyncIterableIterator<TextGenerationResponse> {
  /** Chosen here, so that the turn can be found again whatever becomes of the stream. */
  readonly turnId: string;
  /**
   * The whole turn, once the stream has been read to its end; rejects with what the loop throws, or with an AbortError
   * when the stream was left. Waiting for it does not read the stream. Nobody has to look at it.
   */
  readonly turn: Promise<Turn>;

  readonly #source: StreamSource;
  readonly #pieces: AsyncGenerator<TextGenerationResponse, Turn>;
  readonly #connection = new AbortController();
  readonly #signal: AbortSignal | undefined;
  #unfollow = () => {};
  #state: 'new' | 'reading' | 'over' = 'new';
  #hasLeft = false;
  #isCancelled = false;
  #resolve: (turn: Turn) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(source: StreamSource, signal?: AbortSignal) {
    this.turnId = source.turnId;
    this.#source = source;
    this.#signal = signal;
    this.#pieces = piecesOf({ ...source, isCancelled: () => this.#isCancelled }, this.#connection.signal);
    this.turn = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only reads the pieces must not be ended by a rejection that he never asked about.
    this.turn.catch(() => undefined);
    this.#connection.signal.addEventListener('abort', () => {
      if (this.#state === 'reading') source.leave();
      this.#end();
      this.#reject(this.#connection.signal.reason);
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<TextGenerationResponse, undefined>> {
    if (this.#state === 'new') {
      this.#state = 'reading';
      this.#unfollow = follow(this.#signal, this.#connection);
    }
    try {
      const { done, value } = await this.#pieces.next();
      if (!done) return { done: false, value };
      this.#end();
      // `undefined` when it is asked again after its end.
      if (value) this.#resolve(value);
    } catch (error) {
      this.#end();
      this.#reject(error);
      // A `next` that was still waiting when the caller left has nothing to tell.
      if (!this.#hasLeft) throw error;
    }
    return { done: true, value: undefined };
  }

  /** What `break` calls. Ends the connection at once. */
  async return(): Promise<IteratorResult<TextGenerationResponse, undefined>> {
    this.#hasLeft = true;
    this.#connection.abort(new DOMException('The stream was left before its end.', 'AbortError'));
    await this.#pieces.return(undefined as never).catch(() => undefined);
    return { done: true, value: undefined };
  }

  /**
   * Ends the turn on the server, and answers with it once it has ended, by this or otherwise; with `keep: 'partial'` what
   * was said so far is in the history then. The loop goes on to its normal end: what had been said, then the turn as
   * `CANCELLED`. A stream that was not begun is left. Fails with `turn_not_found` when the message has not arrived.
   */
  async cancel(options: CancelOptions = {}): Promise<Turn> {
    if (this.#state === 'new') {
      await this.return();
      return this.turn;
    }
    this.#isCancelled = true;
    return this.#source.cancel(options);
  }

  #end(): void {
    this.#state = 'over';
    this.#unfollow();
  }
}
