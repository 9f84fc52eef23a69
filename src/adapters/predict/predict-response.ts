// From a prediction of the legacy chat wire to a domain chunk. Candidates and what is said of them come as parallel
// arrays. Source: `_parse_chat_prediction_response` of google-cloud-aiplatform 1.92, and recorded answers of chat-bison.

import { joinCitations } from '../../chat/citations.ts';
import { textPart } from '../../chat/content.ts';
import type { CandidateChunk, Citation, ModelChunk, Usage } from '../../chat/language-model.ts';
import { answerObject } from '../upstream/answer-object.ts';
import {
  countIn,
  isObject,
  type JsonObject,
  numberIn,
  objectsIn,
  offsetIn,
  stringsIn,
} from '../upstream/json-value.ts';
import { protocolError } from '../upstream/parse-json.ts';
import { fromTensor } from './tensor.ts';

/** The whole answer of `:predict`. Only the first prediction is read: there is one per instance, and one instance. */
export function readPrediction(value: unknown): ModelChunk {
  const body = answerObject(value);
  const [prediction] = objectsIn(body.predictions);
  if (!prediction || listOf(prediction.candidates).length === 0) throw protocolError('no prediction');
  const candidates = candidatesOf(prediction).map((candidate) => ({
    ...candidate.chunk,
    finishReason: candidate.isBlocked ? 'SAFETY' : 'STOP',
  }));
  return withFacts({ candidates }, body);
}

/** The chunks of one streamed answer. This wire never says that a candidate has finished: a clean end says it. */
export class PredictionStream {
  readonly #said = new Map<number, { isBlocked: boolean; errors: readonly number[]; citations: readonly Citation[] }>();

  read(value: unknown): ModelChunk {
    const body = answerObject(value);
    if (!Array.isArray(body.outputs) || body.outputs.length !== 1) {
      throw protocolError('an object that does not hold exactly one output');
    }
    const prediction = fromTensor(body.outputs[0]);
    if (!isObject(prediction)) throw protocolError('an output that is no prediction');
    const candidates = candidatesOf(prediction).map((candidate) => this.#add(candidate));
    return withFacts(withFacts({ candidates }, prediction), body);
  }

  /** After the last value, when the stream has ended cleanly: why each candidate finished. */
  end(): ModelChunk {
    const candidates = [...this.#said].map(([index, { isBlocked }]): CandidateChunk => {
      return { index, parts: [], finishReason: isBlocked ? 'SAFETY' : 'STOP' };
    });
    return { candidates };
  }

  /** Later chunks may speak of other sentences: what was blocked stays blocked, and lists grow. */
  #add({ chunk, isBlocked }: ReadCandidate): CandidateChunk {
    const before = this.#said.get(chunk.index);
    const errors = [...new Set([...(before?.errors ?? []), ...(chunk.errors ?? [])])];
    const citations = joinCitations(before?.citations ?? [], chunk.citations ?? []);
    this.#said.set(chunk.index, { isBlocked: isBlocked || before?.isBlocked === true, errors, citations });
    return { ...chunk, errors, ...(citations.length > 0 ? { citations } : {}) };
  }
}

interface ReadCandidate {
  readonly chunk: CandidateChunk;
  readonly isBlocked: boolean;
}

function candidatesOf(prediction: JsonObject): readonly ReadCandidate[] {
  const safety = listOf(prediction.safetyAttributes);
  const grounding = listOf(prediction.groundingMetadata);
  const citations = listOf(prediction.citationMetadata);
  return listOf(prediction.candidates).map((candidate, index) => {
    const content = objectAt([candidate], 0).content;
    if (content !== undefined && content !== null && typeof content !== 'string') {
      throw protocolError('a candidate whose content is no text');
    }
    const attributes = objectAt(safety, index);
    const said = citationsOf(objectAt(citations, index).citations);
    const errors = numbersIn(attributes.errors);
    const ratings = objectsIn(attributes.safetyRatings);
    return {
      isBlocked: isBlocked(attributes.blocked),
      chunk: {
        index,
        parts: content ? [textPart(content)] : [],
        ...(errors.length > 0 ? { errors } : {}),
        ...(isObject(safety[index]) ? { safetyAttributes: scoresOf(attributes) } : {}),
        ...(ratings.length > 0 ? { safetyRatings: ratings } : {}),
        ...(said.length > 0 ? { citations: said } : {}),
        ...groundingOf(objectAt(grounding, index)),
      },
    };
  });
}

/** The SDK's own Tensors write `true` as 1. Whatever is not clearly "no" blocks: the other error would be seen. */
function isBlocked(flag: unknown): boolean {
  return ![undefined, null, false, 0, '', 'false'].some((no) => flag === no);
}

/** Names and scores are parallel arrays, too; a name without a score says nothing. */
function scoresOf({ categories, scores }: JsonObject): Readonly<Record<string, number>> {
  const values = listOf(scores).map(numberIn);
  const pairs = listOf(categories).flatMap((name, index): [string, number][] => {
    const score = values[index];
    return typeof name === 'string' && score !== undefined ? [[name, score]] : [];
  });
  return Object.fromEntries(pairs);
}

function groundingOf(metadata: JsonObject): Pick<CandidateChunk, 'groundingMetadata'> {
  if (Object.keys(metadata).length === 0) return {};
  const searchQueries = stringsIn(listOf(metadata.searchQueries));
  return { groundingMetadata: { ...metadata, citations: citationsOf(metadata.citations), searchQueries } };
}

function citationsOf(citations: unknown): readonly Citation[] {
  return listOf(citations)
    .filter(isObject)
    .map(({ startIndex, endIndex, url, title, license, publicationDate }) => ({
      startIndex: offsetIn(startIndex),
      endIndex: offsetIn(endIndex),
      url: typeof url === 'string' ? url : '',
      ...texts({ title, license, publicationDate }),
    }));
}

/** `metadata.tokenMetadata` stands beside the predictions; billable characters have no place in our usage. */
function withFacts(chunk: ModelChunk, body: JsonObject): ModelChunk {
  const metadata = isObject(body.metadata) ? body.metadata : {};
  const counts = isObject(metadata.tokenMetadata) ? metadata.tokenMetadata : {};
  const usage: Partial<Usage> = {
    ...tokens('promptTokens', counts.inputTokenCount),
    ...tokens('outputTokens', counts.outputTokenCount),
  };
  const { modelVersionId } = body;
  return {
    ...chunk,
    ...(Object.keys(usage).length > 0 ? { usage } : {}),
    ...(typeof modelVersionId === 'string' && modelVersionId !== '' ? { modelVersion: modelVersionId } : {}),
  };
}

function tokens(name: keyof Usage, count: unknown): Partial<Usage> {
  const total = isObject(count) ? countIn(count.totalTokens) : undefined;
  return total === undefined ? {} : { [name]: total };
}

/** A Tensor unwraps a list of one; nothing at all is an empty list. */
function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function objectAt(list: readonly unknown[], index: number): JsonObject {
  const item = list[index];
  return isObject(item) ? item : {};
}

function numbersIn(value: unknown): readonly number[] {
  return listOf(value)
    .map(numberIn)
    .filter((number) => number !== undefined)
    .map((number) => Math.trunc(number));
}

/** Those that are texts and say something. */
function texts<Name extends string>(values: Readonly<Record<Name, unknown>>): { readonly [K in Name]?: string } {
  const said = Object.entries(values).filter(([, value]) => typeof value === 'string' && value !== '');
  return Object.fromEntries(said) as { readonly [K in Name]?: string };
}
