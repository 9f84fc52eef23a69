// Requests that may be sent again, because the service does them once however often they come: a send with its
// idempotency key, a cancel.

import { backoffMs } from './backoff.ts';
import { ChatProxyError } from './chat-proxy-error.ts';
import { pause } from './waiting.ts';

export interface Resending {
  readonly signal?: AbortSignal | undefined;
  /** Told before the request is sent again: it may have been heard all the same. */
  readonly onUnheard?: (error: ChatProxyError) => void;
}

/** Enough for a connection that was closed while it lay idle, and for the next replica; not for an outage. */
const TRIES_MAX = 4;
const PAUSES = { firstMs: 100, maxMs: 1000 };
/** Who is to come back later than this is told so instead. */
const ASKED_MAX_MS = 5000;

/** The answer. Sent again while there is none from the service itself; fails with what came last. */
export async function untilHeard<T>(request: () => Promise<T>, { signal, onUnheard }: Resending): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      if (signal?.aborted || tries === TRIES_MAX || !isUnheard(error)) throw error;
      const { retryAfterMs = 0 } = error;
      if (retryAfterMs > ASKED_MAX_MS) throw error;
      onUnheard?.(error);
      await pause(backoffMs(tries - 1, PAUSES, retryAfterMs), signal);
    }
  }
}

/** No answer, a gateway's page, or a replica that takes nothing any more. What ended a turn names the turn. */
function isUnheard(error: unknown): error is ChatProxyError {
  if (!(error instanceof ChatProxyError) || !error.retryable) return false;
  return error.code === undefined || (error.code === 'draining' && error.problem?.turnId === undefined);
}
