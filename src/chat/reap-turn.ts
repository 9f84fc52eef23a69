// A turn whose producer has died is ended by whoever meets it: one FAILED `producer_lost`, an unchanged history, and a
// session that can be used again.

import type { Clock } from './clock.ts';
import type { DescribeProblem } from './errors.ts';
import { decodeTurn, encodeTurn } from './records.ts';
import { producerLost } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { RunningMark } from './stored-session.ts';
import { encodeFrame, REAPER_SEQ, terminalEvent } from './turn-event.ts';
import { failedTurn } from './unproduced-turn.ts';

export interface ReapDependencies {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly describe: DescribeProblem;
}

/** Safe to call by many at once, and for a turn that is alive after all: the store decides, by its own clock. */
export async function reapTurn(
  key: SessionKey,
  mark: Pick<RunningMark, 'turnId' | 'epoch'>,
  deps: ReapDependencies,
): Promise<void> {
  const { turnId, epoch } = mark;
  const running = decodeTurn(await deps.store.readTurn(key, turnId));
  const turn = failedTurn(running, producerLost(), deps);
  const frame = encodeFrame(epoch, REAPER_SEQ, terminalEvent(turn));
  await deps.store.reap(key, {
    turnId,
    epoch,
    record: encodeTurn(turn),
    frame: frame.text,
    seq: frame.seq,
  });
}

/** Same for a turn that waits, when its process has not come back for it: the line moves on. */
export async function dropWaiting(key: SessionKey, turnId: string, deps: ReapDependencies): Promise<void> {
  const waiting = decodeTurn(await deps.store.readTurn(key, turnId));
  if (waiting.state !== 'QUEUED') return;
  const record = encodeTurn(failedTurn(waiting, producerLost(), deps));
  await deps.store.leave(key, { turnId, record, onlyIfDead: true });
}
