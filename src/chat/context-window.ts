// How much of a history goes into the next request. What does not fit is left out in whole exchanges, the oldest first, or the
// request is refused; the history itself stays as it is.

import { type KeptMessage, openCalls } from './content.ts';
import { invalidField } from './errors.ts';
import type { ModelRequest } from './language-model.ts';
import type { ContextWindow, GivenWindow } from './session.ts';
import { estimateTokens } from './token-estimate.ts';

/** What was given, and what an overflow means. Fails with `invalid_argument` when nothing is limited. */
export function settledWindow({ maxMessages, maxTokens, onOverflow }: GivenWindow): ContextWindow {
  if (maxMessages == null && maxTokens == null) {
    throw invalidField('/contextWindow', 'must hold maxMessages, maxTokens or both');
  }
  return {
    ...(maxMessages == null ? {} : { maxMessages }),
    ...(maxTokens == null ? {} : { maxTokens }),
    onOverflow: onOverflow ?? 'reject',
  };
}

/** What is sent: the history from a message on; or nothing, because the least that could be sent exceeds a limit. */
export type Fit = { readonly from: number } | { readonly overflow: Overflow };

export interface Overflow {
  readonly limit: 'maxMessages' | 'maxTokens';
  readonly allowed: number;
  readonly needed: number;
}

/**
 * As much of the history as fits, before the request's own contents: the question, or nothing yet. What is sent is always a
 * valid request: an exchange is sent whole, or not at all, and so are calls and their responses.
 */
export function fitHistory(window: ContextWindow, history: readonly KeptMessage[], request: ModelRequest): Fit {
  const tokensFrom = window.maxTokens === undefined ? () => 0 : estimateTokens(history, request);
  const overflowFrom = (from: number): Overflow | undefined => {
    return (
      excess('maxMessages', window.maxMessages, history.length - from + 1) ??
      excess('maxTokens', window.maxTokens, tokensFrom(from))
    );
  };
  const overflow = overflowFrom(0);
  if (!overflow) return { from: 0 };
  if (window.onOverflow === 'reject') return { overflow };
  let least = 0;
  for (let from = 1; from <= history.length; from += 1) {
    if (!isBetweenExchanges(from, history)) continue;
    if (!overflowFrom(from)) return { from };
    least = from;
  }
  return { overflow: overflowFrom(least) ?? overflow };
}

function excess(limit: Overflow['limit'], allowed: number | undefined, needed: number): Overflow | undefined {
  return allowed === undefined || needed <= allowed ? undefined : { limit, allowed, needed };
}

/**
 * Whether an exchange begins here: with a user, after a bot who has left no calls open, so that the user answers none. Behind
 * the history it is the question that begins.
 */
function isBetweenExchanges(position: number, history: readonly KeptMessage[]): boolean {
  const before = history[position - 1];
  return before?.author === 'bot' && openCalls(before) === '' && history[position]?.author !== 'bot';
}
