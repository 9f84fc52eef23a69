// How a stream that broke comes to its next connection: ever more slowly, as the service asks, and not without end.

import { backoffMs } from './backoff.ts';
import { ChatProxyError } from './chat-proxy-error.ts';
import { follow, pause } from './waiting.ts';

export type EventBody = ReadableStream<Uint8Array>;

export interface ReconnectionRules {
  /** Whose turn an error is about. */
  readonly sessionId: string;
  readonly turnId: string;
  /** The events after this one, without an id all of them; `undefined` when there are none to be had. */
  readonly resume: (lastEventId: string | undefined, signal: AbortSignal) => Promise<EventBody | undefined>;
  /** How long one attempt may take. */
  readonly idleMs: number;
  /** How long a turn may be without a connection, from one event to the next. */
  readonly recoverMs: number;
}

export interface Connection {
  readonly body: EventBody;
  /** Nobody reads it any more. */
  readonly close: () => void;
}

/** The first pause is hardly one: most streams break alone, and the service is well. */
const PAUSES = { firstMs: 50, maxMs: 2000 };
/** Connections in a row that open and break without an event: somebody on the way lets no events through. */
const BARREN_MAX = 6;

export class Reconnection {
  readonly #rules: ReconnectionRules;
  readonly #signal: AbortSignal;
  /** What `retry:` said last. */
  #retryMs = 0;
  /** Since the last event. */
  #attempts = 0;
  #barren = 0;
  #awayMs = 0;

  constructor(rules: ReconnectionRules, signal: AbortSignal) {
    this.#rules = rules;
    this.#signal = signal;
  }

  /** A stream has said `retry:`. */
  readonly slowDown = (retryMs: number): void => {
    this.#retryMs = retryMs;
  };

  /** An event has come. */
  succeed(): void {
    this.#attempts = 0;
    this.#barren = 0;
    this.#awayMs = 0;
  }

  /**
   * The next connection; `undefined` when the service has no events for us, or nobody lets them through. Fails without a
   * code when the service stays away, and with the signal's reason.
   */
  async after(cut: Error, lastEventId: string | undefined): Promise<Connection | undefined> {
    const { recoverMs, sessionId, turnId } = this.#rules;
    let cause = cut;
    let askedMs = this.#retryMs;
    this.#barren += 1;
    while (this.#barren <= BARREN_MAX) {
      const leftMs = recoverMs - this.#awayMs;
      if (leftMs <= 0) {
        const message = `The stream broke, and could not be gone on with within ${recoverMs} ms.`;
        throw new ChatProxyError(message, { sessionId, turnId, cause, retryable: true });
      }
      const beganAt = performance.now();
      try {
        await pause(Math.min(backoffMs(this.#attempts, PAUSES, askedMs), leftMs), this.#signal);
        const limitMs = Math.min(this.#rules.idleMs, recoverMs - this.#awayMs - (performance.now() - beganAt));
        return await this.#connect(lastEventId, limitMs);
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof ChatProxyError)) throw error;
        // Whatever is wrong with the events: reading the turn tells more.
        if (!error.retryable) return undefined;
        cause = error;
        askedMs = Math.max(error.retryAfterMs ?? 0, this.#retryMs);
      } finally {
        this.#attempts += 1;
        this.#awayMs += performance.now() - beganAt;
      }
    }
    return undefined;
  }

  /** With a signal of its own: an attempt that takes too long is given up, the stream is not. */
  async #connect(lastEventId: string | undefined, limitMs: number): Promise<Connection | undefined> {
    const connection = new AbortController();
    const close = follow(this.#signal, connection);
    const giveUp = () => {
      connection.abort(new ChatProxyError(`There was no answer within ${Math.ceil(limitMs)} ms.`, { retryable: true }));
    };
    const timer = setTimeout(giveUp, Math.max(0, limitMs));
    try {
      const body = await this.#rules.resume(lastEventId, connection.signal);
      if (body) return { body, close };
    } catch (error) {
      close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    close();
    return undefined;
  }
}
