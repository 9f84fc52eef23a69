// Turns what the model says into predictions, in which candidates and what is said of them are parallel lists: many of them in
// Tensors for a stream, one with its token counts for a unary call.
import type { JsonObject } from '../json.ts';
import { sideBySide, withLast } from '../take-turns.ts';
import type { CandidateAnswer } from './answer.ts';
import type { PredictQuestion } from './predict-question.ts';
import { NOT_RATED_YET, safetyAttributes } from './safety.ts';
import { toTensor } from './tensor.ts';
import { promptTexts, tokenCount } from './token-count.ts';

export type PredictAnswer = { readonly question: PredictQuestion; readonly candidates: readonly CandidateAnswer[] };

/** What one candidate has in each of the lists. */
type Entry = {
  readonly content: string;
  readonly safetyAttributes: JsonObject;
  readonly citations: readonly JsonObject[];
  readonly groundingMetadata: JsonObject;
};

/** The chunks of a stream, made one by one. All candidates are in every one; whoever has said everything has nothing to add. */
export function* chunksOf({ question, candidates }: PredictAnswer): Generator<JsonObject> {
  for (const row of sideBySide(candidates.map((candidate) => entriesOf(candidate, question)))) {
    const entries = candidates.map((candidate, index) => row[index] ?? afterEnd(candidate, question));
    yield { outputs: [toTensor(predictionOf(entries))] };
  }
}

/** The whole answer in one. */
export function documentOf({ question, candidates }: PredictAnswer): JsonObject {
  const entries = candidates.map((candidate): Entry => {
    return endOf(candidate, candidate.isBlocked ? '' : [...candidate.pieces].join(''), question);
  });
  return {
    predictions: [predictionOf(entries)],
    metadata: {
      tokenMetadata: {
        inputTokenCount: tokenCount(promptTexts(question.request)),
        outputTokenCount: tokenCount(entries.map(({ content }) => content)),
      },
    },
  };
}

function predictionOf(entries: readonly Entry[]): JsonObject {
  return {
    candidates: entries.map(({ content }) => ({ author: '1', content })),
    groundingMetadata: entries.map(({ groundingMetadata }) => groundingMetadata),
    safetyAttributes: entries.map((entry) => entry.safetyAttributes),
    citationMetadata: entries.map(({ citations }) => ({ citations })),
  };
}

function* entriesOf(candidate: CandidateAnswer, question: PredictQuestion): Generator<Entry, void> {
  let isEnded = false;
  for (const { item: content, isLast } of withLast(candidate.pieces)) {
    // The block comes after what it blocks: those words have been told already.
    isEnded = isLast && !candidate.isBlocked;
    yield isEnded
      ? endOf(candidate, content, question)
      : { content, safetyAttributes: NOT_RATED_YET, citations: [], groundingMetadata: {} };
  }
  if (!isEnded) yield endOf(candidate, '', question);
}

function endOf(candidate: CandidateAnswer, content: string, question: PredictQuestion): Entry {
  const { isBlocked, citations, groundingMetadata } = candidate;
  return { content, safetyAttributes: safetyAttributes(question, isBlocked), citations, groundingMetadata };
}

/** The last word about its safety stands, and nothing is told twice. */
function afterEnd({ isBlocked }: CandidateAnswer, question: PredictQuestion): Entry {
  return { content: '', safetyAttributes: safetyAttributes(question, isBlocked), citations: [], groundingMetadata: {} };
}
