// How a viewer comes to the log of a turn, wherever it is produced, and wherever it has been left off.

import type { Clock } from './clock.ts';
import { invalidField } from './errors.ts';
import type { FollowedLog } from './followed-log.ts';
import type { FollowedTurns } from './followed-turns.ts';
import type { FrameSource, TurnView } from './frame-log.ts';
import { isEnded } from './present-turn.ts';
import { logExpired } from './refusals.ts';
import { isOfReplay, replayAfter } from './replay.ts';
import type { RunningTurns } from './running-turns.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { Turn } from './turn.ts';
import type { EventCursor } from './turn-event.ts';
import { viewLeft, viewWaiting } from './view-waiting.ts';

export interface ViewDependencies {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly running: RunningTurns;
  readonly followed: FollowedTurns;
}

export interface ViewRequest {
  readonly turnId: string;
  /** The last event that the viewer has seen; without it the log is read from its beginning. */
  readonly cursor?: EventCursor;
}

/**
 * The log of a turn after the cursor, then what comes; `undefined` when the turn is over and nothing does. `readTurn` ends
 * a turn whose producer is dead. Fails with `invalid_argument` for a cursor of another turn, `turn_not_found`,
 * `session_not_found`, `log_expired`, `store_unavailable`.
 */
export async function viewTurn(
  key: SessionKey,
  { turnId, cursor }: ViewRequest,
  readTurn: () => Promise<Turn>,
  deps: ViewDependencies,
): Promise<TurnView | undefined> {
  const { running, followed, store } = deps;
  const own = running.find(key);
  if (own?.turnId === turnId) return { log: own.log, afterSeq: seqIn(own.epoch, cursor), release: () => undefined };
  const turn = await readTurn();
  if (turn.state === 'QUEUED') {
    return viewWaiting(key, turn, readTurn, () => viewTurn(key, { turnId }, readTurn, deps), deps);
  }
  const epoch = await store.epochOf(key, turnId);
  const afterSeq = seqIn(epoch, cursor);
  // It ended while it waited: there never was a log.
  if (!Number.isInteger(epoch) && isEnded(turn)) return viewLeft(turn, cursor);
  if (cursor && isOfReplay(cursor) && isEnded(turn)) return replayAfter(turn, cursor);
  const { log, release } = await followed.follow(key, turn, epoch);
  // Somebody has followed it while it ran, and may not have read its end yet.
  if (isEnded(turn) && !log.hasEnded) {
    await log.catchUp().catch((error) => {
      release();
      throw error;
    });
  }
  const hasMore = log.frameAfter(afterSeq) !== undefined || !log.hasEnded;
  if (hasMore ? turn.state === 'RUNNING' || log.isComplete : isLetGo(log, turn)) return { log, afterSeq, release };
  release();
  // A turn that is over has a log with an end, or none.
  if (log.isComplete) return undefined;
  throw logExpired();
}

/**
 * This replica is being shut down, and has nothing to tell of a turn that runs elsewhere. The view ends without a last event,
 * which brings its viewer back elsewhere; a refusal would be taken for final by an EventSource.
 */
function isLetGo(log: FollowedLog, turn: Turn): boolean {
  return turn.state === 'RUNNING' && !log.isComplete && !log.hasExpired;
}

function seqIn(epoch: number, cursor: EventCursor | undefined): number {
  // What was told of the place in line is before everything else.
  if (!cursor || cursor.epoch === 0) return 0;
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
