// A turn whose producer has died is ended by whoever meets it: one FAILED `producer_lost`, an unchanged history, and a
// session that can be used again.

import { type Clock, isoTime } from './clock.ts';
import { ChatError, type DescribeProblem } from './errors.ts';
import { decodeTurn, encodeTurn } from './records.ts';
import type { SessionKey } from './session.ts';
import type { RunningMark, SessionStore } from './session-store.ts';
import { encodeFrame, REAPER_SEQ, terminalEvent } from './turn-event.ts';

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
  const error = new ChatError('producer_lost', 'The replica that produced the turn was lost. Send the message again.');
  const turn = {
    ...running,
    state: 'FAILED' as const,
    endTime: isoTime(deps.clock.now()),
    problem: deps.describe(error, { sessionId: key.sessionId, turnId }),
  };
  const frame = encodeFrame(epoch, REAPER_SEQ, terminalEvent(turn));
  await deps.store.reap(key, {
    turnId,
    epoch,
    record: encodeTurn(turn),
    frame,
  });
}
