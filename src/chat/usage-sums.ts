// What turns have used, summed up: of all that reported it, and by the state in which they ended.

import { isoTime } from './clock.ts';
import type { Usage } from './language-model.ts';
import type { TurnEndState } from './turn.ts';

/** Of the turns that ended in one state. */
export interface StateUsage extends Usage {
  /** How many reported usage. */
  readonly turns: number;
}

export interface UsageSums {
  readonly usage: Usage;
  /** States in which no turn with usage has ended are not there. */
  readonly byState: Readonly<Partial<Record<TurnEndState, StateUsage>>>;
}

/** Of an owner, in one calendar month (UTC): that of the turns' beginnings. */
export interface MonthUsage extends UsageSums {
  /** `YYYY-MM`. */
  readonly month: string;
}

export const NO_SUMS: UsageSums = {
  usage: { promptTokens: 0, outputTokens: 0, thoughtTokens: 0, cachedTokens: 0, totalTokens: 0 },
  byState: {},
};

/** The sums with one more turn. */
export function addUsage(sums: UsageSums, state: TurnEndState, usage: Usage): UsageSums {
  const { turns, ...ofState } = sums.byState[state] ?? { turns: 0, ...NO_SUMS.usage };
  return {
    usage: plus(sums.usage, usage),
    byState: { ...sums.byState, [state]: { turns: turns + 1, ...plus(ofState, usage) } },
  };
}

function plus(sum: Usage, usage: Usage): Usage {
  return {
    promptTokens: sum.promptTokens + usage.promptTokens,
    outputTokens: sum.outputTokens + usage.outputTokens,
    thoughtTokens: (sum.thoughtTokens ?? 0) + (usage.thoughtTokens ?? 0),
    cachedTokens: (sum.cachedTokens ?? 0) + (usage.cachedTokens ?? 0),
    totalTokens: sum.totalTokens + usage.totalTokens,
  };
}

export function monthOf(ms: number): string {
  return isoTime(ms).slice(0, 'YYYY-MM'.length);
}

/** Epochs are the store's own time when their turns began, in µs: the same for every resend, whatever a replica's clock says. */
export function monthOfEpoch(epoch: number): string {
  return monthOf(epoch / 1000);
}
