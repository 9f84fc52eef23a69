// A request that goes on from a history, as far as the session's context window lets it.

import type { KeptMessage } from './content.ts';
import { fitHistory, type Overflow } from './context-window.ts';
import { ChatError } from './errors.ts';
import type { ModelRequest } from './language-model.ts';
import type { ContextWindow } from './session.ts';
import type { Sent } from './turn.ts';

export interface FittedRequest {
  /** With the history before its contents; with all of it when it is refused. */
  readonly request: ModelRequest;
  readonly sent: Sent;
  /** Why it must not be sent. */
  readonly refusal?: ChatError;
}

/** `request` holds the question, or nothing yet. */
export function fitRequest(
  window: ContextWindow | undefined,
  history: readonly KeptMessage[],
  request: ModelRequest,
): FittedRequest {
  const fit = window ? fitHistory(window, history, request) : { from: 0 };
  const from = 'from' in fit ? fit.from : 0;
  const whole = { ...request, contents: [...history.slice(from), ...request.contents] };
  if ('from' in fit) return { request: whole, sent: { messages: history.length - from + 1, omittedMessages: from } };
  return { request: whole, sent: { messages: 0, omittedMessages: 0 }, refusal: refusalOf(fit.overflow, window) };
}

const UNITS = { maxMessages: 'messages', maxTokens: 'tokens, as estimated' } as const satisfies Record<
  Overflow['limit'],
  string
>;

function refusalOf({ limit, allowed, needed }: Overflow, window: ContextWindow | undefined): ChatError {
  const isTrimmed = window?.onOverflow === 'trimOldest';
  const least = isTrimmed ? ', with as much of the history left out as can be' : '';
  const remedies = isTrimmed ? 'or send less' : 'or set contextWindow.onOverflow to trimOldest';
  return new ChatError(
    'history_full',
    `The next request would hold ${needed} ${UNITS[limit]}${least}; contextWindow.${limit} is ${allowed}. ` +
      `Rewind the session, raise the limit, ${remedies}.`,
  );
}
