// Decides what the model says on the legacy wire: for every candidate its text, in pieces, and how it ends.
import { prose } from '../answer-text.ts';
import type { Behaviour } from '../behaviour.ts';
import { numberFrom } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import { bigPieces, limited, piecesOf } from '../pieces.ts';
import { CITATIONS } from './citations.ts';
import { groundingOf } from './grounding.ts';
import type { PredictQuestion } from './predict-question.ts';

export type CandidateAnswer = {
  /** A stream brings them one by one, a unary answer as a whole. Lazy, for a big one. */
  readonly pieces: Iterable<string>;
  /** There is no finish reason on this wire: a candidate that is blocked says so, and any other has ended well. */
  readonly isBlocked: boolean;
  readonly citations: readonly JsonObject[];
  readonly groundingMetadata: JsonObject;
};

export function candidateAnswers(question: PredictQuestion, behaviour: Behaviour): readonly CandidateAnswer[] {
  const count = behaviour.candidateCount ?? question.request.parameters.candidateCount ?? 1;
  return Array.from({ length: count }, (_, index) => candidateAnswer(question, behaviour, index));
}

function candidateAnswer(question: PredictQuestion, behaviour: Behaviour, index: number): CandidateAnswer {
  const { emptiness, hasCitations, textBytes } = behaviour;
  const isQuoting = hasCitations || emptiness === 'recitation';
  const ending = {
    isBlocked: emptiness === 'block-prompt' || emptiness === 'block-answer' || emptiness === 'recitation',
    citations: isQuoting ? CITATIONS : [],
    groundingMetadata: {},
  };
  if (emptiness === 'block-prompt' || emptiness === 'empty') return { ...ending, pieces: [] };
  // A text asked for by size is exactly that: no limit applies to it.
  if (textBytes !== undefined) return { ...ending, pieces: bigPieces(textBytes) };
  const { text } = limited(prose(question, index), question.request.parameters);
  const pieces = piecesOf(text, numberFrom(question.digest, 3), behaviour.chunkCount);
  return { ...ending, pieces, groundingMetadata: groundingOf(question, text) };
}
