// The events of one turn, each once, over as many connections as it takes: a stream that breaks is gone on with after the
// last event that came.

import { readEvents, StreamCut, type StreamEvent } from './read-events.ts';
import { type Connection, type EventBody, Reconnection, type ReconnectionRules } from './reconnection.ts';

export interface TurnConnections extends ReconnectionRules {
  /** Sends the message. `onCut` is told when it has to be sent again, since nothing was answered. */
  readonly open: (signal: AbortSignal, onCut: OnCut) => Promise<EventBody>;
  /** A connection that says nothing for so long, not even a heartbeat, is taken for broken. */
  readonly idleMs: number;
}

/** A connection broke, and the turn is gone on with. */
export type OnCut = (cut: Error) => void;

const TERMINAL = ['turn.committed', 'turn.blocked', 'turn.failed', 'turn.cancelled'];
export const isTerminal = ({ type }: StreamEvent): boolean => TERMINAL.includes(type);

/**
 * Ends with the last event. `onCut` is told of every break. Fails with `StreamCut` when there are no events to go on
 * with, although the service is there: then the turn has to be read. Fails without a code when the service stays away,
 * with the signal's reason, and as `open` does.
 */
export async function* turnEvents(
  source: TurnConnections,
  onCut: OnCut,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void> {
  const reconnection = new Reconnection(source, signal);
  const cursor = new Cursor();
  let connection: Connection = { body: await source.open(signal, onCut), close: () => undefined };
  for (;;) {
    const rules = { isLast: isTerminal, idleMs: source.idleMs, onRetry: reconnection.slowDown, signal };
    let cut: StreamCut;
    try {
      for await (const event of readEvents(connection.body, rules)) {
        cursor.move(event);
        reconnection.succeed();
        yield event;
      }
      return;
    } catch (error) {
      if (!(error instanceof StreamCut)) throw error;
      cut = error;
    } finally {
      connection.close();
    }
    onCut(cut);
    const next = cursor.canGoOn ? await reconnection.after(cut, cursor.lastEventId) : undefined;
    if (!next) throw cut;
    connection = next;
  }
}

/** Where the reader stands. */
class Cursor {
  lastEventId: string | undefined;
  #events = 0;
  #isAnew = false;
  #hasStarted = false;

  /** Otherwise everything would be told twice. */
  get canGoOn(): boolean {
    return !this.#isAnew && (this.#events === 0 || this.lastEventId !== undefined);
  }

  /** Fails when the stream has begun again, although it was asked to go on: somebody on the way drops the id. */
  move({ id, type }: StreamEvent): void {
    const isStart = type === 'turn.started';
    this.#isAnew = isStart && this.#hasStarted;
    if (this.#isAnew) throw new StreamCut('The stream began anew.');
    this.#hasStarted ||= isStart;
    this.#events += 1;
    this.lastEventId = id ?? this.lastEventId;
  }
}
