// Decides what the model says: for every candidate its parts, in order, and how it ends. How that is cut into chunks and
// written is decided elsewhere (chunks.ts, ../deliver.ts).
import type { Behaviour, Emptiness } from '../behaviour.ts';
import { numberFrom } from '../digest.ts';
import { invalidArgument } from '../google-error.ts';
import { bigPieces, limited, piecesOf } from '../pieces.ts';
import { callParts } from './calls.ts';
import type { GeminiQuestion } from './gemini-question.ts';
import { answerText, thoughtTexts } from './gemini-text.ts';
import type { Candidate, Part } from './generate-content.ts';
import { groundingOf } from './grounding.ts';
import { continuationToken } from './signature.ts';

/** One part of the answer: a stream brings it piece by piece, a unary answer as a whole. Lazy, for a big one. */
export type Draft = { readonly pieces: Iterable<Part>; readonly isSigned?: boolean };

export type Ending = Pick<Candidate, 'continuationToken' | 'groundingMetadata'> & {
  readonly finishReason: string;
  /** What the finishReason comes with: the last part, a content without parts, or nothing. */
  readonly comesWith: 'last part' | 'no parts' | 'no content';
  readonly isCited?: true;
};

export type CandidateAnswer = { readonly index: number; readonly drafts: readonly Draft[]; readonly ending: Ending };

type Words = { readonly drafts: readonly Draft[]; readonly ending: Ending };

const STOP: Ending = { finishReason: 'STOP', comesWith: 'last part' };

// The smallest PNG there is: one transparent pixel.
const IMAGE: Part = {
  inlineData: {
    mimeType: 'image/png',
    data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  },
};

/** Fails with 400 on a continuation token that was not issued for this very request. */
export function candidateAnswers(question: GeminiQuestion, behaviour: Behaviour): readonly CandidateAnswer[] {
  const { continuationToken: token } = question.request;
  if (token !== undefined && !(behaviour.isContinued && token === continuationToken(question.digest))) {
    throw invalidArgument(
      'Unable to submit request because the continuation token is not valid.',
      'continuation_token',
    );
  }
  const count = behaviour.candidateCount ?? question.request.generationConfig?.candidateCount ?? 1;
  return Array.from({ length: count }, (_, index) => ({ index, ...words(question, behaviour, index) }));
}

function words(question: GeminiQuestion, behaviour: Behaviour, index: number): Words {
  if (behaviour.emptiness === 'empty') return { drafts: [{ pieces: [{ text: '' }] }], ending: STOP };
  const thinks = behaviour.hasThoughts ?? question.request.generationConfig?.thinkingConfig?.includeThoughts ?? false;
  const thoughts = thinks ? thoughtTexts(question).map((text): Draft => ({ pieces: [{ text, thought: true }] })) : [];
  const calls = callParts(question, behaviour);
  if (calls.length > 0) {
    const drafts = calls.map((part, place): Draft => ({ pieces: [part], isSigned: place === 0 }));
    return { drafts: [...thoughts, ...drafts], ending: { ...STOP, ...finishOf(behaviour) } };
  }
  const { pieces, ending } = wordsOfText(question, behaviour, index);
  const signsText = thinks && !behaviour.signsEmptyPart;
  return {
    drafts: [
      ...thoughts,
      { pieces: asParts(pieces), isSigned: signsText },
      ...(behaviour.hasImage ? [{ pieces: [IMAGE] }] : []),
      ...(behaviour.signsEmptyPart ? [{ pieces: [{ text: '' }], isSigned: true }] : []),
    ],
    ending: {
      ...ending,
      ...endingOf(behaviour.emptiness),
      ...finishOf(behaviour),
      ...(behaviour.hasCitations && { isCited: true }),
    },
  };
}

function wordsOfText(
  question: GeminiQuestion,
  behaviour: Behaviour,
  index: number,
): { pieces: Iterable<string>; ending: Ending } {
  // A text asked for by size is exactly that: neither limits nor continuation apply to it.
  if (behaviour.textBytes !== undefined) return { pieces: bigPieces(behaviour.textBytes), ending: STOP };
  const whole = limited(answerText(question, index), question.request.generationConfig ?? {});
  const { text, ...finish } = behaviour.isContinued ? half(whole, question) : whole;
  const groundingMetadata = groundingOf(question, text);
  return {
    pieces: piecesOf(text, numberFrom(question.digest, 3), behaviour.chunkCount),
    ending: { ...STOP, ...finish, ...(groundingMetadata && { groundingMetadata }) },
  };
}

type Half = { readonly text: string; readonly finishReason: string; readonly continuationToken?: string };

function half(whole: Half, question: GeminiQuestion): Half {
  const { text, finishReason } = whole;
  const space = text.indexOf(' ', text.length / 2);
  const middle = space === -1 ? text.length : space;
  if (question.request.continuationToken !== undefined) return { text: text.slice(middle), finishReason };
  return {
    text: text.slice(0, middle),
    finishReason: 'CONTINUATION',
    continuationToken: continuationToken(question.digest),
  };
}

function endingOf(emptiness: Emptiness | undefined): Partial<Ending> {
  switch (emptiness) {
    case 'block-answer':
      return { finishReason: 'SAFETY', comesWith: 'no content' };
    case 'recitation':
      return { finishReason: 'RECITATION', comesWith: 'no content', isCited: true };
    case 'no-parts':
      return { comesWith: 'no parts' };
    case 'empty':
    case 'block-prompt':
    case undefined:
      return {};
    default:
      return emptiness satisfies never;
  }
}

function finishOf({ finishReason }: Behaviour): Partial<Ending> {
  return finishReason === undefined ? {} : { finishReason };
}

function* asParts(texts: Iterable<string>): Generator<Part> {
  for (const text of texts) yield { text };
}
