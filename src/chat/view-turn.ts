// How a viewer comes to the log of a turn, wherever it is produced, and wherever it has been left off.

import type { ChatDependencies } from './begin-turn.ts';
import { ChatError, invalidField } from './errors.ts';
import type { FrameSource } from './frame-log.ts';
import type { SessionKey } from './session.ts';
import type { Turn } from './turn.ts';
import type { EventCursor } from './turn-event.ts';

/** A log, and where to begin in it. */
export interface TurnView {
  readonly log: FrameSource;
  readonly afterSeq: number;
  /** Idempotent. Call it when nobody reads any more. */
  release(): void;
}

export interface ViewRequest {
  readonly turnId: string;
  /** The last event that the viewer has seen; without it the log is read from its beginning. */
  readonly cursor?: EventCursor;
}

/**
 * The log of a turn after the cursor, then what comes; `undefined` when the turn is over and nothing does. `readTurn` ends
 * a turn whose producer is dead. Fails with `invalid_argument` for a cursor of another turn, `turn_not_found`,
 * `session_not_found`, `log_expired`, `draining`, `store_unavailable`.
 */
export async function viewTurn(
  key: SessionKey,
  { turnId, cursor }: ViewRequest,
  readTurn: () => Promise<Turn>,
  { running, followed, store }: ChatDependencies,
): Promise<TurnView | undefined> {
  const own = running.find(key);
  if (own?.turnId === turnId) return { log: own.log, afterSeq: seqIn(own.epoch, cursor), release: () => undefined };
  const turn = await readTurn();
  const epoch = await store.epochOf(key, turnId);
  const afterSeq = seqIn(epoch, cursor);
  const { log, release } = await followed.follow(key, turn, epoch);
  if (log.frameAfter(afterSeq) || !log.hasEnded) {
    // A turn that is over has a log with an end, or none.
    if (turn.state === 'RUNNING' || log.isComplete) return { log, afterSeq, release };
  }
  release();
  if (log.isComplete) return undefined;
  if (turn.state === 'RUNNING' && !log.hasExpired) {
    throw new ChatError('draining', 'This replica is being shut down. Go on elsewhere.');
  }
  throw new ChatError('log_expired', 'The events of the turn are not kept any more. The turn can still be read.');
}

function seqIn(epoch: number, cursor: EventCursor | undefined): number {
  if (!cursor) return 0;
  if (cursor.epoch !== epoch) throw invalidField('lastEventId', 'is the id of an event of another turn');
  return cursor.seq;
}

/** Resolves at the end of a log, or when `stop` resolves first; what that returns is called afterwards. */
export async function hasEnded(log: FrameSource, stop?: (resolve: () => void) => () => void): Promise<void> {
  if (log.hasEnded) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = stop?.(resolve);
  const unwatch = log.watch(() => {
    if (log.hasEnded) resolve();
  });
  await promise;
  unwatch();
  forget?.();
}
