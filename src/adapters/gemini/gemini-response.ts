// From the JSON of a GenerateContentResponse to a domain chunk. Tolerant of what it does not know, strict in what it
// needs: a value that is not such a response is a `model_protocol_error`, an error inside is thrown as what it is.

import { joinCitations } from '../../chat/citations.ts';
import { joinParts, type Part } from '../../chat/content.ts';
import type {
  CandidateChunk,
  Citation,
  GroundingMetadata,
  ModelChunk,
  ModelRequest,
  SafetyRating,
  Usage,
} from '../../chat/language-model.ts';
import { NO_GROUNDING } from '../../chat/turn.ts';
import { answerObject } from '../upstream/answer-object.ts';
import { countIn, isObject, type JsonObject, objectsIn } from '../upstream/json-value.ts';
import { protocolError } from '../upstream/parse-json.ts';
import { citationsOf, groundingOf } from './grounding.ts';

/** What marks a value as a response; each of them alone is a legal chunk. */
const MARKS = ['candidates', 'promptFeedback', 'usageMetadata', 'modelVersion', 'responseId'] as const;

export interface ResponseOptions {
  /** The caller asked for answers without attribution, which this wire no longer leaves out itself. */
  readonly stripAttribution: boolean;
  /** The caller gave a context to answer from, for which this wire has no grounding. */
  readonly isEmulated: boolean;
  /**
   * What each candidate has said up to now, by index; grows with every response that is read. Grounding counts bytes
   * from the beginning of the answer, however many chunks ago that was.
   */
  readonly saidSoFar: Map<number, Said>;
  /** Same for citations: a chunk of a stream brings those of its own text, and the domain keeps the newest list. */
  readonly citationsSoFar: Map<number, readonly Citation[]>;
}

/** The parts of one candidate: joined when somebody asks for them, which most answers never do. */
class Said {
  #joined: readonly Part[] = [];
  #since: (readonly Part[])[] = [];

  add(parts: readonly Part[]): void {
    if (parts.length > 0) this.#since.push(parts);
  }

  get parts(): readonly Part[] {
    this.#joined = this.#since.reduce(joinParts, this.#joined);
    this.#since = [];
    return this.#joined;
  }
}

/** The options of one answer, before its first response. */
export function startReading({ groundingSource }: Pick<ModelRequest, 'groundingSource'>): ResponseOptions {
  const isEmulated = groundingSource?.type === 'inlineContext';
  const stripAttribution = groundingSource?.type !== 'inlineContext' && groundingSource?.disableAttribution === true;
  return { stripAttribution, isEmulated, saidSoFar: new Map(), citationsSoFar: new Map() };
}

/** Fails with what an `error` in the value means, or with `model_protocol_error`. */
export function readResponse(value: unknown, options: ResponseOptions): ModelChunk {
  const body = answerObject(value);
  if (!MARKS.some((mark) => body[mark] !== undefined)) throw protocolError('an object that is no response');
  const candidates = objectsIn(body.candidates).map((candidate) => readCandidate(candidate, options));
  const chunk: Unfinished<ModelChunk> = { candidates };
  const blockReason = isObject(body.promptFeedback) ? body.promptFeedback.blockReason : undefined;
  if (typeof blockReason === 'string' && blockReason !== '') chunk.promptBlockReason = blockReason;
  const usage = readUsage(body.usageMetadata);
  if (usage) chunk.usage = usage;
  if (typeof body.modelVersion === 'string') chunk.modelVersion = body.modelVersion;
  return chunk;
}

/** In the making: field by field, since this is done for every event of every stream. */
type Unfinished<Type> = { -readonly [Field in keyof Type]: Type[Field] };

function readCandidate(candidate: JsonObject, options: ResponseOptions): CandidateChunk {
  const index = readIndex(candidate.index);
  const parts = isObject(candidate.content) ? objectsIn(candidate.content.parts) : [];
  const chunk: Unfinished<CandidateChunk> = { index, parts };
  const { finishReason } = candidate;
  if (typeof finishReason === 'string' && finishReason !== '') chunk.finishReason = finishReason;
  const ratings = objectsIn(candidate.safetyRatings);
  if (ratings.length > 0) {
    chunk.safetyRatings = ratings as SafetyRating[];
    chunk.safetyAttributes = scores(ratings);
  }
  const newCitations = citationsOf(candidate.citationMetadata);
  const before = options.citationsSoFar.get(index) ?? [];
  const citations = newCitations.length > 0 ? joinCitations(before, newCitations) : newCitations;
  if (citations.length > 0) options.citationsSoFar.set(index, citations);
  if (citations.length > 0 && !options.stripAttribution) chunk.citations = citations;
  const saidBefore = options.saidSoFar.get(index);
  const said = saidBefore ?? new Said();
  if (!saidBefore) options.saidSoFar.set(index, said);
  said.add(parts);
  const grounding = readGrounding(candidate.groundingMetadata, said, !saidBefore, options);
  if (grounding) chunk.groundingMetadata = grounding;
  return chunk;
}

function readGrounding(
  metadata: unknown,
  said: Said,
  isFirst: boolean,
  { stripAttribution, isEmulated }: ResponseOptions,
): GroundingMetadata | undefined {
  if (stripAttribution) return isObject(metadata) ? withoutAttribution(metadata) : undefined;
  const mark = isEmulated ? { emulated: true } : {};
  if (isObject(metadata)) return { ...groundingOf(metadata, said.parts), ...mark };
  return isEmulated && isFirst ? { ...NO_GROUNDING, ...mark } : undefined;
}

/** Whoever grounds an answer with Google Search has to show its suggestions, attributed or not. */
function withoutAttribution({ searchEntryPoint }: JsonObject): GroundingMetadata | undefined {
  return searchEntryPoint === undefined ? undefined : { ...NO_GROUNDING, searchEntryPoint };
}

/** Proto JSON leaves a zero out. Any other nonsense would put the words of one candidate into another one's mouth. */
function readIndex(index: unknown): number {
  if (index === undefined || index === null) return 0;
  if (typeof index === 'number' && Number.isSafeInteger(index) && index >= 0) return index;
  throw protocolError('a candidate whose index is no number of one');
}

/** The seed's `safety_attributes`: category to score. Only Vertex gives scores; categories without one are left out. */
function scores(ratings: readonly JsonObject[]): Readonly<Record<string, number>> {
  const pairs = ratings.flatMap(({ category, probabilityScore }): [string, number][] =>
    typeof category === 'string' && typeof probabilityScore === 'number' ? [[category, probabilityScore]] : [],
  );
  return Object.fromEntries(pairs);
}

const TOKEN_COUNTS: readonly (readonly [keyof Usage, string])[] = [
  ['promptTokens', 'promptTokenCount'],
  ['outputTokens', 'candidatesTokenCount'],
  ['thoughtTokens', 'thoughtsTokenCount'],
  ['cachedTokens', 'cachedContentTokenCount'],
  ['totalTokens', 'totalTokenCount'],
];

function readUsage(metadata: unknown): Partial<Usage> | undefined {
  if (!isObject(metadata)) return undefined;
  let usage: Unfinished<Partial<Usage>> | undefined;
  for (const [name, wire] of TOKEN_COUNTS) {
    const count = countIn(metadata[wire]);
    if (count === undefined) continue;
    usage ??= {};
    usage[name] = count;
  }
  return usage;
}
