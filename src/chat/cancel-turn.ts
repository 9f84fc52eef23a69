// How a turn is cancelled, wherever it is produced, and how its end is waited for.

import type { ChatDependencies } from './begin-turn.ts';
import type { FrameSource } from './frame-log.ts';
import type { SessionKey } from './session.ts';
import type { Turn } from './turn.ts';
import type { Keep } from './turn-machine.ts';
import { hasEnded } from './view-turn.ts';

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
  deps: ChatDependencies,
): Promise<Turn> {
  const own = deps.running.find(key);
  if (own?.turnId === turnId) {
    own.cancel(keep);
    await settled(own.log, deps);
    return readTurn();
  }
  if (!(await deps.store.requestCancel(key, turnId, keep))) return readTurn();
  const turn = await readTurn();
  if (turn.state !== 'RUNNING') return turn;
  const epoch = await deps.store.epochOf(key, turnId);
  const { log, release } = await deps.followed.follow(key, turn, epoch);
  try {
    await settled(log, deps);
  } finally {
    release();
  }
  return readTurn();
}

function settled(log: FrameSource, { clock }: ChatDependencies): Promise<void> {
  return hasEnded(log, (resolve) => clock.after(SETTLE_MS, resolve));
}
