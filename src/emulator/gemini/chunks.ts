// Turns what the model says into GenerateContentResponses: many chunks for a stream, one for a unary call.
import { numberFrom } from '../digest.ts';
import type { Api } from '../route.ts';
import { takeTurns, withLast } from '../take-turns.ts';
import type { CandidateAnswer, Draft, Ending } from './answer.ts';
import { citationsOf } from './citations.ts';
import type { GeminiQuestion } from './gemini-question.ts';
import type { Candidate, Chunk, Content, Part } from './generate-content.ts';
import { promptFeedback, safetyRatings } from './safety.ts';
import { signed } from './signature.ts';
import { type PromptTokens, tallyAnswer, usageSoFar, usageTotal } from './usage.ts';

/** An answer ready to be told. `candidates` is undefined when the prompt was blocked. */
export type GeminiAnswer = {
  readonly api: Api;
  readonly question: GeminiQuestion;
  readonly prompt: PromptTokens;
  readonly candidates: readonly CandidateAnswer[] | undefined;
};

/** The chunks of a stream, made one by one. Candidates take turns; the very last chunk has the whole usage. */
export function* chunksOf(answer: GeminiAnswer): Generator<Chunk> {
  if (!answer.candidates) {
    yield blockedPrompt(answer);
    return;
  }
  const tally = tallyAnswer();
  const turns = takeTurns(answer.candidates.map((candidate) => candidateChunks(candidate, answer)));
  for (const { item, isLast } of withLast(turns)) {
    tally.add(item.content?.parts ?? []);
    yield {
      candidates: [item],
      usageMetadata: isLast ? usageTotal(answer, tally) : usageSoFar(answer),
      ...identity(answer),
    };
  }
}

/** The whole answer in one. */
export function documentOf(answer: GeminiAnswer): Chunk {
  if (!answer.candidates) return blockedPrompt(answer);
  const tally = tallyAnswer();
  const candidates = answer.candidates.map((candidate): Candidate => {
    const { index, drafts, ending } = candidate;
    const parts = drafts.flatMap((draft) => joined(draft, answer.question.model));
    if (ending.comesWith === 'last part') {
      tally.add(parts);
      return { index, content: contentOf(parts), ...endOf(candidate, answer) };
    }
    return { index, ...(ending.comesWith === 'no parts' && { content: contentOf([]) }), ...endOf(candidate, answer) };
  });
  return { candidates, usageMetadata: usageTotal(answer, tally), ...identity(answer) };
}

/** A chunk as it is before the answer has ended. */
export function withoutFinish(chunk: Chunk): Chunk {
  if (!chunk.candidates) return chunk;
  return { ...chunk, candidates: chunk.candidates.map(({ finishReason: _, ...candidate }) => candidate) };
}

function* candidateChunks(candidate: CandidateAnswer, answer: GeminiAnswer): Generator<Candidate> {
  const { index, drafts, ending } = candidate;
  let isEnded = false;
  for (const { item: part, isLast } of withLast(streamed(drafts, answer.question.model))) {
    isEnded = isLast && ending.comesWith === 'last part';
    yield { index, content: contentOf([part]), ...(isEnded && endOf(candidate, answer)) };
  }
  if (isEnded) return;
  // Also when nothing is left to say, because the first word was a stop sequence.
  yield { index, ...(ending.comesWith !== 'no content' && { content: contentOf([]) }), ...endOf(candidate, answer) };
}

/** In a stream the signature is on the last piece of its part, and covers that piece only. */
function* streamed(drafts: readonly Draft[], model: string): Generator<Part> {
  for (const { pieces, isSigned } of drafts) {
    if (!isSigned) yield* pieces;
    else for (const { item, isLast } of withLast(pieces)) yield isLast ? signed(item, model) : item;
  }
}

function joined({ pieces, isSigned }: Draft, model: string): readonly Part[] {
  const [first, ...rest] = pieces;
  if (!first) return [];
  const text = [first, ...rest].map((piece) => piece.text ?? '').join('');
  const whole = first.text === undefined ? first : { ...first, text };
  return [isSigned ? signed(whole, model) : whole];
}

function endOf({ index, ending }: CandidateAnswer, { api, question }: GeminiAnswer) {
  const { comesWith: _, isCited, ...said }: Ending = ending;
  return {
    ...said,
    ...(isCited && { citationMetadata: citationsOf(api) }),
    safetyRatings: safetyRatings(api, question, said.finishReason === 'SAFETY'),
    avgLogprobs: -(1 + numberFrom(question.digest, 4 + index)) / 100_000,
  };
}

function contentOf(parts: readonly Part[]): Content {
  return parts.length > 0 ? { role: 'model', parts } : { role: 'model' };
}

function blockedPrompt(answer: GeminiAnswer): Chunk {
  return {
    promptFeedback: promptFeedback(answer.api, answer.question),
    usageMetadata: usageTotal(answer, tallyAnswer()),
    ...identity(answer),
  };
}

/** Made of the request, not of the moment: the same question has the same answer, ids and all. */
function identity({ api, question }: GeminiAnswer) {
  const { digest, model } = question;
  const startOf2026 = Date.UTC(2026, 0, 1);
  const moment = new Date(startOf2026 + numberFrom(digest, 12) * 60_000 + (numberFrom(digest, 13) % 60_000));
  const microseconds = String(numberFrom(digest, 14) % 1000).padStart(3, '0');
  return {
    modelVersion: model,
    ...(api === 'vertex' && { createTime: moment.toISOString().replace('Z', `${microseconds}Z`) }),
    responseId: Buffer.from(digest.slice(0, 34), 'hex').toString('base64url'),
  };
}
