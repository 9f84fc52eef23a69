// What a streamed turn yields: its pieces, whatever becomes of its connections, then the turn.

import type { Turn } from '../chat/turn.ts';
import { ChatProxyError, type ProblemDetails, problemError } from './chat-proxy-error.ts';
import { StreamCut, type StreamEvent } from './read-events.ts';
import type { TextGenerationResponse } from './responses.ts';
import { StreamedAnswer } from './streamed-answer.ts';
import { isTerminal, type TurnConnections, turnEvents } from './turn-events.ts';

export interface PiecesSource extends TurnConnections {
  readonly onDisconnect: 'cancel' | 'continue';
  /** Reads the turn once it is over. */
  readonly recover: (signal: AbortSignal) => Promise<Turn>;
  /** Whether we have wanted its end ourselves. */
  readonly isCancelled: () => boolean;
}

/** Fails when the turn failed, or was cancelled because the connection broke. */
export async function* piecesOf(
  source: PiecesSource,
  signal: AbortSignal,
): AsyncGenerator<TextGenerationResponse, Turn> {
  const answer = new StreamedAnswer();
  let lastCut: Error | undefined;
  const onCut = (cut: Error) => {
    lastCut = cut;
  };
  signal.throwIfAborted();
  try {
    for await (const event of turnEvents(source, onCut, signal)) {
      signal.throwIfAborted();
      if (event.type === 'candidate.delta') yield answer.delta(parse(event, source));
      else if (event.type === 'candidate.finished') yield answer.finished(parse(event, source));
      else if (isTerminal(event)) {
        const turn = answer.whole(parse(event, source));
        yield* answer.block(turn);
        return concluded(turn, source, lastCut);
      }
    }
  } catch (error) {
    if (!(error instanceof StreamCut)) throw error;
    const turn = yield* missing(source, answer, signal);
    return concluded(turn, source, error);
  }
  throw new Error('an event stream that neither ended nor broke');
}

/** There are no events any more: the turn is read, and what they have not told is told now. */
async function* missing(
  source: PiecesSource,
  answer: StreamedAnswer,
  signal: AbortSignal,
): AsyncGenerator<TextGenerationResponse, Turn> {
  const turn = await source.recover(signal);
  for (const piece of answer.missing(turn)) {
    yield piece;
    signal.throwIfAborted();
  }
  yield* answer.block(turn);
  return turn;
}

function concluded(turn: Turn, source: PiecesSource, cut: Error | undefined): Turn {
  const { sessionId, turnId, onDisconnect } = source;
  if (turn.state === 'CANCELLED' && cut && onDisconnect === 'cancel' && !source.isCancelled()) {
    const message = `${cut.message} The service cancelled the turn with it (onDisconnect: "cancel").`;
    throw new ChatProxyError(message, { sessionId, turnId, cause: cut, retryable: true });
  }
  return unlessFailed(turn, source);
}

export function unlessFailed(turn: Turn, { sessionId, turnId }: { sessionId: string; turnId: string }): Turn {
  if (turn.state !== 'FAILED') return turn;
  const facts = { sessionId, turnId };
  if (turn.problem) throw problemError(turn.problem as Turn['problem'] & ProblemDetails, facts);
  throw new ChatProxyError('The turn failed.', facts);
}

function parse<T>({ type, data }: StreamEvent, { sessionId, turnId }: PiecesSource): T {
  try {
    return JSON.parse(data) as T;
  } catch (cause) {
    throw new ChatProxyError(`The event ${type} is no JSON.`, { sessionId, turnId, cause });
  }
}
