// A streamed answer: pieces of text to iterate over, and the whole turn at the end.

import type { Turn } from '../chat/turn.ts';
import { ChatProxyError, type ProblemDetails, problemError } from './chat-proxy-error.ts';
import { readEvents, StreamCut, type StreamEvent } from './read-events.ts';
import type { TextGenerationResponse } from './responses.ts';
import { StreamedAnswer } from './streamed-answer.ts';
import { follow } from './waiting.ts';

/** What a stream needs of its session. */
export interface StreamSource {
  readonly sessionId: string;
  readonly turnId: string;
  readonly onDisconnect: 'cancel' | 'continue';
  /** Sends the message. */
  readonly open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  /** A connection that says nothing for so long, not even a heartbeat, is taken for broken. */
  readonly idleMs: number;
  /** Waits for the end of the turn without the stream. */
  readonly recover: (signal: AbortSignal) => Promise<Turn>;
  /** The stream was left while the turn may still be running. */
  readonly leave: () => void;
}

const TERMINAL = ['turn.committed', 'turn.blocked', 'turn.failed', 'turn.cancelled'];
const isTerminal = ({ type }: StreamEvent): boolean => TERMINAL.includes(type);

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

  readonly #pieces: AsyncGenerator<TextGenerationResponse, Turn>;
  readonly #connection = new AbortController();
  readonly #signal: AbortSignal | undefined;
  #unfollow = () => {};
  #state: 'new' | 'reading' | 'over' = 'new';
  #hasLeft = false;
  #resolve: (turn: Turn) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(source: StreamSource, signal?: AbortSignal) {
    this.turnId = source.turnId;
    this.#signal = signal;
    this.#pieces = piecesOf(source, this.#connection.signal);
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

  #end(): void {
    this.#state = 'over';
    this.#unfollow();
  }
}

/** The pieces, then the turn. Fails when the turn failed. */
async function* piecesOf(source: StreamSource, signal: AbortSignal): AsyncGenerator<TextGenerationResponse, Turn> {
  const answer = new StreamedAnswer();
  signal.throwIfAborted();
  const body = await source.open(signal);
  try {
    for await (const event of readEvents(body, { isLast: isTerminal, idleMs: source.idleMs, signal })) {
      signal.throwIfAborted();
      if (event.type === 'candidate.delta') yield answer.delta(parse(event, source));
      else if (event.type === 'candidate.finished') yield answer.finished(parse(event, source));
      else if (isTerminal(event)) {
        const turn = answer.whole(parse(event, source));
        yield* answer.block(turn);
        return unlessFailed(turn, source);
      }
    }
  } catch (error) {
    if (!(error instanceof StreamCut)) throw error;
    return yield* recovered(source, answer, error, signal);
  }
  throw new Error('an event stream that neither ended nor broke');
}

/** A stream broke: the turn is read, and what the stream has not told is told now. */
async function* recovered(
  source: StreamSource,
  answer: StreamedAnswer,
  cut: StreamCut,
  signal: AbortSignal,
): AsyncGenerator<TextGenerationResponse, Turn> {
  const { sessionId, turnId } = source;
  const turn = await source.recover(signal);
  for (const piece of answer.missing(turn)) {
    yield piece;
    signal.throwIfAborted();
  }
  yield* answer.block(turn);
  if (turn.state === 'CANCELLED' && source.onDisconnect === 'cancel') {
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

function parse<T>({ type, data }: StreamEvent, { sessionId, turnId }: StreamSource): T {
  try {
    return JSON.parse(data) as T;
  } catch (cause) {
    throw new ChatProxyError(`The event ${type} is no JSON.`, { sessionId, turnId, cause });
  }
}
