// The port to the model, in domain terms. Adapters translate wires; the domain never sees one.

import type { Content, Part } from './content.ts';
import type { GenerationSettings } from './settings.ts';

export type GroundingSource =
  | { readonly type: 'webSearch'; readonly disableAttribution?: boolean }
  | {
      readonly type: 'vertexAiSearch';
      readonly dataStoreId: string;
      readonly location: string;
      readonly project?: string;
      readonly disableAttribution?: boolean;
    }
  | { readonly type: 'inlineContext'; readonly inlineContext: string };

export interface Example {
  readonly input: string;
  readonly output: string;
}

/** Something that was said before, and by which model, when that is known. */
export interface SaidContent extends Content {
  readonly model?: string;
}

export interface ModelRequest {
  readonly model: string;
  readonly context?: string;
  readonly examples: readonly Example[];
  /** The history and, last, the question. Authors may repeat; the adapter makes what its wire wants of them. */
  readonly contents: readonly SaidContent[];
  readonly settings: GenerationSettings;
  readonly candidateCount?: number;
  readonly groundingSource?: GroundingSource;
}

export interface Citation {
  /** In characters (UTF-16 units) of the candidate's visible text; the end is exclusive. */
  readonly startIndex: number;
  readonly endIndex: number;
  readonly url: string;
  readonly title?: string;
  readonly license?: string;
  readonly publicationDate?: string;
}

/** What the answer is grounded on. What else the model reported (search entry point, chunks …) is kept as it came. */
export interface GroundingMetadata {
  readonly citations: readonly Citation[];
  readonly searchQueries: readonly string[];
  /** The wire has no such grounding: the context was given as an instruction, and nothing tells what was used of it. */
  readonly emulated?: boolean;
  readonly [field: string]: unknown;
}

export type SafetyRating = Readonly<Record<string, unknown>>;

/** What one chunk says of one candidate. Absent fields say nothing; present ones replace what earlier chunks said. */
export interface CandidateChunk {
  readonly index: number;
  readonly parts: readonly Part[];
  readonly finishReason?: string;
  /** Numeric error codes of the legacy wire; Gemini has none. */
  readonly errors?: readonly number[];
  readonly safetyAttributes?: Readonly<Record<string, number>>;
  readonly safetyRatings?: readonly SafetyRating[];
  readonly citations?: readonly Citation[];
  readonly groundingMetadata?: GroundingMetadata;
}

/** Tokens as the model counts them: totals of the whole request, so that the newest report replaces older ones. */
export interface Usage {
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly thoughtTokens?: number;
  readonly cachedTokens?: number;
  readonly totalTokens: number;
}

export interface ModelChunk {
  readonly candidates: readonly CandidateChunk[];
  /** The prompt itself was refused. */
  readonly promptBlockReason?: string;
  readonly usage?: Partial<Usage>;
  readonly modelVersion?: string;
  /** The answer takes several requests: its usage is the sum of theirs. */
  readonly isContinued?: boolean;
}

export type TakeChunk = (chunk: ModelChunk) => void;

/** How many tokens a request would cost. */
export interface TokenCount {
  readonly totalTokens: number;
  /** Characters as the legacy models are billed; not every backend tells. */
  readonly totalBillableCharacters?: number;
}

export interface LanguageModel {
  /**
   * One complete answer, as a single chunk. Fails with `unsupported_by_model`, `model_overloaded`, `model_timeout`,
   * `model_error`, `model_unreachable`, `model_protocol_error` or `answer_too_large`.
   */
  generate(request: ModelRequest, signal: AbortSignal): Promise<ModelChunk>;

  /**
   * The answer as it is produced: `take` is called with each chunk as it comes, all chunks of one network read in one go.
   * Resolves only when the upstream ended cleanly; whether the answer is complete is for the domain to judge. Errors as
   * `generate`; nothing is taken after one, nor after an abort, which closes the upstream socket at once.
   */
  stream(request: ModelRequest, signal: AbortSignal, take: TakeChunk): Promise<void>;

  /** What the request would cost, without answering it. Errors as `generate`. */
  countTokens(request: ModelRequest, signal: AbortSignal): Promise<TokenCount>;

  /** Refuses, before any call, what this backend can never serve (`unsupported_by_model`). */
  check(request: ModelRequest): void;

  /** Ends idle connections. */
  close(): Promise<void>;
}
