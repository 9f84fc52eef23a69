// What the model has said so far in a turn, and what it amounts to once it has ended.

import { isPlainText, isUsable, joinParts, type Part, visibleText } from './content.ts';
import { ChatError } from './errors.ts';
import type { CandidateChunk, ModelChunk, Usage } from './language-model.ts';
import { type Candidate, NO_GROUNDING } from './turn.ts';

/** A candidate in the making: its chunk fields, accumulated. */
export type AnswerCandidate = CandidateChunk;

export interface Answer {
  readonly candidates: readonly AnswerCandidate[];
  readonly promptBlockReason?: string;
  readonly usage?: Partial<Usage>;
  readonly modelVersion?: string;
  readonly isContinued?: boolean;
}

export const NO_ANSWER: Answer = { candidates: [] };

/** Pure: the answer with one more chunk. */
export function addChunk(answer: Answer, chunk: ModelChunk): Answer {
  const next = { ...answer, ...chunk, candidates: answer.candidates };
  if (chunk.usage && answer.usage) next.usage = { ...answer.usage, ...chunk.usage };
  for (const said of chunk.candidates) next.candidates = addSaid(next.candidates, said);
  return next;
}

function addSaid(candidates: readonly AnswerCandidate[], said: CandidateChunk): readonly AnswerCandidate[] {
  const at = candidates.findIndex(({ index }) => index === said.index);
  const known = candidates[at];
  if (!known) return [...candidates, said].sort((a, b) => a.index - b.index);
  return candidates.with(at, { ...known, ...said, parts: joinParts(known.parts, said.parts) });
}

export type Verdict =
  | { readonly state: 'COMMITTED'; readonly chosenCandidate: number }
  | { readonly state: 'BLOCKED'; readonly blockReason: string }
  | { readonly state: 'FAILED'; readonly error: ChatError };

const USABLE_FINISHES: ReadonlySet<string> = new Set(['STOP', 'MAX_TOKENS']);
const UNSPECIFIED = 'FINISH_REASON_UNSPECIFIED';

/** Whether the model has said that it finished, and why. `CONTINUATION` is no end. */
function hasFinished(candidate: AnswerCandidate): boolean {
  const reason = candidate.finishReason;
  return reason !== undefined && reason !== '' && reason !== UNSPECIFIED && reason !== 'CONTINUATION';
}

/**
 * The terminal state of a turn whose upstream ended without an error: the contract's table, read in its order. A
 * stream has to say that it finished, since a cut looks like an end; a unary document is complete by itself.
 */
export function judge(answer: Answer, isStream: boolean): Verdict {
  if (answer.promptBlockReason) return { state: 'BLOCKED', blockReason: answer.promptBlockReason };
  const { candidates } = answer;
  const ended = candidates.some((c) => hasFinished(c) || (!isStream && countsAsFinished(c)));
  if (!ended) {
    return {
      state: 'FAILED',
      error: new ChatError('model_protocol_error', 'The model ended its answer without saying that it had finished.'),
    };
  }
  const chosen = candidates.find((candidate) => isUsableCandidate(candidate, isStream));
  if (chosen) return { state: 'COMMITTED', chosenCandidate: chosen.index };
  return { state: 'BLOCKED', blockReason: blockReasonOf(candidates[0]) };
}

function countsAsFinished(candidate: AnswerCandidate): boolean {
  return !hasFinished(candidate) && candidate.finishReason !== 'CONTINUATION' && isUsable(candidate.parts);
}

function isUsableCandidate(candidate: AnswerCandidate, isStream: boolean): boolean {
  if (!isUsable(candidate.parts)) return false;
  if (hasFinished(candidate)) return USABLE_FINISHES.has(candidate.finishReason ?? '');
  return !isStream && countsAsFinished(candidate);
}

function blockReasonOf(candidate: AnswerCandidate | undefined): string {
  const reason = candidate && hasFinished(candidate) ? candidate.finishReason : undefined;
  return reason && !USABLE_FINISHES.has(reason) ? reason : 'EMPTY';
}

/**
 * The text that may stay of an answer that was cut short: none beside a function call, which nobody could answer, and none
 * that the model has taken back (SAFETY and the like).
 */
export function textToKeep({ candidates, promptBlockReason }: Answer): string {
  const first = candidates.find(({ index }) => index === 0);
  if (!first || promptBlockReason) return '';
  if (first.parts.some((part) => part.functionCall !== undefined)) return '';
  const isRefused = hasFinished(first) && !USABLE_FINISHES.has(first.finishReason ?? '');
  return isRefused ? '' : visibleText(first.parts);
}

/** The candidate as clients read it. `verdict` is absent while the answer is incomplete: nothing is blocked then. */
export function presentCandidate(candidate: AnswerCandidate, isStream: boolean, verdict?: Verdict): Candidate {
  const isBlocked = verdict !== undefined && verdict.state !== 'FAILED' && !isUsableCandidate(candidate, isStream);
  const { index, parts, safetyRatings } = candidate;
  return {
    index,
    text: visibleText(parts),
    parts,
    finishReason: candidate.finishReason ?? UNSPECIFIED,
    isBlocked,
    ...(isBlocked ? { blockReason: blockReasonOf(candidate) } : {}),
    errors: candidate.errors ?? [],
    safetyAttributes: candidate.safetyAttributes ?? {},
    ...(safetyRatings ? { safetyRatings } : {}),
    groundingMetadata: candidate.groundingMetadata ?? NO_GROUNDING,
    citations: candidate.citations ?? [],
  };
}

/** Totals written out; `undefined` when the model reported nothing. */
export function reportedUsage(answer: Answer): Usage | undefined {
  const { usage } = answer;
  if (!usage) return undefined;
  const promptTokens = usage.promptTokens ?? 0;
  const outputTokens = usage.outputTokens ?? 0;
  const spent = promptTokens + outputTokens + (usage.thoughtTokens ?? 0);
  return {
    ...usage,
    promptTokens,
    outputTokens,
    totalTokens: usage.totalTokens ?? spent,
  };
}

/** Rough size in memory of what a chunk adds, in UTF-16 units of its JSON: what the answer's limit counts. */
export function chunkSize(parts: readonly Part[]): number {
  let size = 0;
  for (const part of parts) {
    size += isPlainText(part) ? String(part.text).length : JSON.stringify(part).length;
  }
  return size;
}
