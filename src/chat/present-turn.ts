// From what happened to what clients read: the turn that an answer and an ending amount to.

import { type Answer, presentCandidate, reportedUsage } from './answer.ts';
import type { DescribeProblem } from './errors.ts';
import { isOpen, NO_GROUNDING, NO_USAGE, type Turn, type TurnEndState, type TurnStart } from './turn.ts';
import type { Ending } from './turn-machine.ts';

export interface Conclusion {
  readonly start: TurnStart;
  readonly answer: Answer;
  readonly ending: Ending;
  readonly isStream: boolean;
  readonly endTime: string;
  /** Ids of question and answer; they count only when the turn committed. */
  readonly messageIds: readonly [string, string];
  readonly version?: number;
}

export type EndedTurn = Turn & { readonly state: TurnEndState };

export function isEnded(turn: Turn): turn is EndedTurn {
  return !isOpen(turn);
}

/** The top-level response fields are those of the chosen candidate; of the first one when none was chosen. */
export function presentTurn(conclusion: Conclusion, describe: DescribeProblem): EndedTurn {
  const { start, answer, ending, isStream, endTime, messageIds, version } = conclusion;
  const verdict = ending.state === 'CANCELLED' ? undefined : ending;
  const candidates = answer.candidates.map((candidate) => presentCandidate(candidate, isStream, verdict));
  const chosen = ending.state === 'COMMITTED' ? ending.chosenCandidate : undefined;
  const top = candidates.find((candidate) => candidate.index === chosen) ?? candidates[0];
  return {
    ...start,
    state: ending.state,
    text: top?.text ?? '',
    isBlocked: ending.state === 'BLOCKED',
    ...(ending.state === 'BLOCKED' ? { blockReason: ending.blockReason } : {}),
    errors: top?.errors ?? [],
    safetyAttributes: top?.safetyAttributes ?? {},
    groundingMetadata: top?.groundingMetadata ?? NO_GROUNDING,
    candidates,
    ...(chosen === undefined ? {} : { chosenCandidate: chosen }),
    usage: reportedUsage(answer) ?? NO_USAGE,
    ...(answer.modelVersion === undefined ? {} : { modelVersion: answer.modelVersion }),
    endTime,
    ...(isKept(ending) ? { messages: messageIds } : {}),
    ...(version === undefined ? {} : { sessionVersion: version }),
    ...(ending.state === 'FAILED' ? { problem: describe(ending.error, start) } : {}),
  };
}

/** Whether question and answer, or what there was of it, enter the history. */
function isKept(ending: Ending): boolean {
  return ending.state === 'COMMITTED' || (ending.state === 'CANCELLED' && ending.keptText !== undefined);
}
