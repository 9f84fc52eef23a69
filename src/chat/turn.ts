// A turn as clients read it: one send, its candidates, state and usage. The shape is that of the seed's
// MultiCandidateTextGenerationResponse, plus addresses.

import type { Part } from './content.ts';
import type { Problem } from './errors.ts';
import type { Citation, GroundingMetadata, SafetyRating, Usage } from './language-model.ts';

export type TurnEndState = 'COMMITTED' | 'BLOCKED' | 'FAILED' | 'CANCELLED';
export type TurnLifeState = 'QUEUED' | 'RUNNING' | TurnEndState;

export interface Candidate {
  readonly index: number;
  readonly text: string;
  readonly parts: readonly Part[];
  readonly finishReason: string;
  readonly isBlocked: boolean;
  readonly blockReason?: string;
  readonly errors: readonly number[];
  readonly safetyAttributes: Readonly<Record<string, number>>;
  readonly safetyRatings?: readonly SafetyRating[];
  readonly groundingMetadata: GroundingMetadata;
  readonly citations: readonly Citation[];
}

export interface Turn {
  readonly sessionId: string;
  readonly turnId: string;
  readonly state: TurnLifeState;
  readonly text: string;
  readonly isBlocked: boolean;
  readonly blockReason?: string;
  readonly errors: readonly number[];
  readonly safetyAttributes: Readonly<Record<string, number>>;
  readonly groundingMetadata: GroundingMetadata;
  readonly candidates: readonly Candidate[];
  readonly chosenCandidate?: number;
  readonly usage: Usage;
  readonly model: string;
  readonly modelVersion?: string;
  readonly createTime: string;
  readonly endTime?: string;
  /** Ids of the question and the answer in the history; only a turn that has them is in it. */
  readonly messages?: readonly string[];
  /** True when its messages were in the history and have been removed or replaced since. */
  readonly superseded?: boolean;
  readonly sessionVersion?: number;
  readonly problem?: Problem;
  /** What the model was sent of the history, the new question included. */
  readonly sent: Sent;
  /** The turn whose question it answers again. */
  readonly regenerates?: string;
}

export interface Sent {
  readonly messages: number;
  readonly omittedMessages: number;
}

export const NO_GROUNDING: GroundingMetadata = {
  citations: [],
  searchQueries: [],
};
export const NO_USAGE: Usage = {
  promptTokens: 0,
  outputTokens: 0,
  totalTokens: 0,
};

/** What is known of a turn when it begins. */
export interface TurnStart {
  readonly sessionId: string;
  readonly turnId: string;
  readonly model: string;
  readonly createTime: string;
  readonly sent: Sent;
  readonly regenerates?: string;
}

export function startedTurn(start: TurnStart): Turn {
  return {
    ...start,
    state: 'RUNNING',
    text: '',
    isBlocked: false,
    errors: [],
    safetyAttributes: {},
    groundingMetadata: NO_GROUNDING,
    candidates: [],
    usage: NO_USAGE,
  };
}

/** Waits for another turn of its session to end. */
export function queuedTurn(start: TurnStart): Turn {
  return { ...startedTurn(start), state: 'QUEUED' };
}

/** Whether it has still to end. */
export function isOpen({ state }: Turn): boolean {
  return state === 'QUEUED' || state === 'RUNNING';
}

/** The turn without its texts: what the terminal event carries, since the deltas have told them already. */
export function withoutTexts(turn: Turn): Omit<Turn, 'text' | 'candidates'> & {
  readonly candidates: readonly Omit<Candidate, 'text' | 'parts'>[];
} {
  const { text: _text, candidates, ...rest } = turn;
  return {
    ...rest,
    candidates: candidates.map(({ text: _t, parts: _p, ...candidate }) => candidate),
  };
}

/** The turn with its chosen candidate alone (the first one when none was chosen): how older turns are kept. */
export function withChosenOnly(turn: Turn): Turn {
  const chosen = turn.candidates.find((candidate) => candidate.index === turn.chosenCandidate) ?? turn.candidates[0];
  return chosen ? { ...turn, candidates: [chosen] } : turn;
}
