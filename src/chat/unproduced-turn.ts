// The end of a turn that no producer ends: its record as it was, with how and when it ended.

import { type Clock, isoTime } from './clock.ts';
import type { ChatError, DescribeProblem } from './errors.ts';
import type { EndedTurn } from './present-turn.ts';
import type { Turn } from './turn.ts';

export interface EndDependencies {
  readonly clock: Clock;
  readonly describe: DescribeProblem;
}

export function failedTurn(turn: Turn, error: ChatError, { clock, describe }: EndDependencies): EndedTurn {
  const { sessionId, turnId } = turn;
  const problem = describe(error, { sessionId, turnId });
  return { ...turn, state: 'FAILED', endTime: isoTime(clock.now()), problem };
}

export function cancelledTurn(turn: Turn, { clock }: Pick<EndDependencies, 'clock'>): EndedTurn {
  return { ...turn, state: 'CANCELLED', endTime: isoTime(clock.now()) };
}
