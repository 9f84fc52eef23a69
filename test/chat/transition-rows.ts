// What rows of the transition table are made of: phases that the turn has come to, and inputs.

import { ChatError } from '../../src/chat/errors.ts';
import type { ModelChunk } from '../../src/chat/language-model.ts';
import {
  type Ending,
  FIRST_PHASE,
  step,
  type TurnInput,
  type TurnPhase,
  type TurnRules,
} from '../../src/chat/turn-machine.ts';

export type Kind = TurnPhase['kind'];
export type Type = TurnInput['type'];
export type InputOf<T extends Type> = Extract<TurnInput, { readonly type: T }>;
export type PhaseOf<K extends Kind> = Extract<TurnPhase, { readonly kind: K }>;

export interface Row<K extends Kind, T extends Type> {
  readonly when: string;
  readonly from: PhaseOf<K>;
  readonly input: InputOf<T>;
  readonly rules?: Partial<TurnRules>;
  readonly to: Kind;
  readonly effects: readonly string[];
}

export type Table = { readonly [K in Kind]: { readonly [T in Type]: readonly Row<K, T>[] } };

export const chunk = (text: string, finishReason?: string): ModelChunk => ({
  candidates: [{ index: 0, parts: text === '' ? [] : [{ text }], ...(finishReason ? { finishReason } : {}) }],
});

/** The phase in which the model has said these. */
export function afterChunks(...chunks: readonly ModelChunk[]): PhaseOf<'running'> {
  let phase: TurnPhase = FIRST_PHASE;
  for (const said of chunks) phase = step(phase, { type: 'chunk', chunk: said }, RULES).phase;
  if (phase.kind !== 'running') throw new Error('the chunks were too much');
  return phase;
}

export const RULES: TurnRules = { isStream: true, answerSizeMax: 100 };
export const NOTHING = afterChunks();
export const HALF = afterChunks(chunk('Hel'));
export const WHOLE = afterChunks(chunk('Hel'), chunk('lo', 'STOP'));
export const COMMITTED: Ending = { state: 'COMMITTED', chosenCandidate: 0 };
export const finishing = (ending: Ending): PhaseOf<'finishing'> => ({
  kind: 'finishing',
  answer: WHOLE.answer,
  ending,
});
export const ENDED: PhaseOf<'ended'> = { kind: 'ended', answer: WHOLE.answer };
export const KEEPING: InputOf<'cancelled'> = { type: 'cancelled', keep: 'partial' };
export const failure = new ChatError('model_error', 'broken');

/** Both phases after the running one answer most inputs with nothing. */
export const ignored = <K extends Kind, T extends Type>(from: PhaseOf<K>, input: InputOf<T>): readonly Row<K, T>[] => {
  return [{ when: 'it is too late', from, input, to: from.kind, effects: [] }];
};
