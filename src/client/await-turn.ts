// Waiting for the end of a turn that no stream tells any more.

import type { Turn, TurnEndState } from '../chat/turn.ts';
import { ChatProxyError } from './chat-proxy-error.ts';
import { follow, pause } from './waiting.ts';

export interface TurnWait {
  /** How long at most, over all attempts. */
  readonly forMs: number;
  /** Whose turn an error is about. */
  readonly address: { readonly sessionId: string; readonly turnId: string };
  readonly signal?: AbortSignal | undefined;
}

const FIRST_PAUSE_MS = 50;
const PAUSE_MAX_MS = 2000;

const ENDS: readonly string[] = ['COMMITTED', 'BLOCKED', 'FAILED', 'CANCELLED'] satisfies TurnEndState[];

export function hasEnded({ state }: Turn): boolean {
  return ENDS.includes(state);
}

/**
 * Reads the turn again and again, ever more slowly, until it is over. A service that is away meanwhile is waited for,
 * too. Fails with what `read` says for good, with the signal's reason, or without a code when the time is over.
 */
export async function awaitTurn(
  read: (signal: AbortSignal) => Promise<Turn>,
  { forMs, address, signal }: TurnWait,
): Promise<Turn> {
  const limit = new AbortController();
  const unfollow = follow(signal, limit);
  let lastError: unknown;
  const timer = setTimeout(() => {
    const message = `The turn was not over within ${forMs} ms.`;
    limit.abort(new ChatProxyError(message, { ...address, cause: lastError, retryable: true }));
  }, forMs);
  try {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        const turn = await read(limit.signal);
        if (hasEnded(turn)) return turn;
      } catch (error) {
        if (limit.signal.aborted || !(error instanceof ChatProxyError && error.retryable)) throw error;
        lastError = error;
      }
      await pause(pauseMs, limit.signal);
    }
  } finally {
    clearTimeout(timer);
    unfollow();
  }
}
