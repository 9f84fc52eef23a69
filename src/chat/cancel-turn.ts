// How a turn is cancelled, wherever it is produced, and how its end is waited for.

import type { FollowedTurns } from './followed-turns.ts';
import type { FrameSource } from './frame-log.ts';
import { encodeTurn } from './records.ts';
import type { RunningTurns } from './running-turns.ts';
import type { SessionKey } from './session.ts';
import type { Turn } from './turn.ts';
import type { Keep } from './turn-machine.ts';
import type { TurnDependencies } from './turn-plan.ts';
import { cancelledTurn } from './unproduced-turn.ts';
import { hasEnded } from './view-turn.ts';

export interface CancelDependencies extends Pick<TurnDependencies, 'store' | 'clock'> {
  readonly running: RunningTurns;
  readonly followed: FollowedTurns;
}

/** A turn that takes longer to settle is answered as it is. */
const SETTLE_MS = 20_000;

/**
 * The turn once it has settled, or as it is after 20 s. Idempotent; a turn that is over stays what it is. `readTurn` reads
 * it, and ends it when its producer is dead. Fails with `turn_not_found`, `session_not_found`, `store_unavailable`.
 */
export async function cancelTurn(
  key: SessionKey,
  turnId: string,
  keep: Keep,
  readTurn: () => Promise<Turn>,
  deps: CancelDependencies,
): Promise<Turn> {
  const own = deps.running.find(key);
  if (own?.turnId === turnId) {
    own.cancel(keep);
    await settled(own.log, deps);
    return readTurn();
  }
  const isAsked = await deps.store.requestCancel(key, turnId, keep);
  const turn = await readTurn();
  if (turn.state === 'QUEUED') return leaveLine(key, turn, keep, readTurn, deps);
  if (!isAsked || turn.state !== 'RUNNING') return turn;
  const epoch = await deps.store.epochOf(key, turnId);
  const { log, release } = await deps.followed.follow(key, turn, epoch);
  try {
    await settled(log, deps);
  } finally {
    release();
  }
  return readTurn();
}

/** Nobody has to be asked: the one that waits finds out. If its time has come meanwhile, it is a running turn. */
async function leaveLine(
  key: SessionKey,
  waiting: Turn,
  keep: Keep,
  readTurn: () => Promise<Turn>,
  deps: CancelDependencies,
): Promise<Turn> {
  const cancelled = cancelledTurn(waiting, deps);
  const { turnId } = waiting;
  if (await deps.store.leave(key, { turnId, record: encodeTurn(cancelled), onlyIfDead: false })) return cancelled;
  return cancelTurn(key, turnId, keep, readTurn, deps);
}

function settled(log: FrameSource, { clock }: CancelDependencies): Promise<void> {
  return hasEnded(log, (resolve) => clock.after(SETTLE_MS, resolve));
}
