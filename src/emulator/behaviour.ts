// What a request can make the emulator do beside answering well. `faults.ts` maps names to it; nothing said means a good answer.

/** How a stream goes wrong after its first chunks. A unary answer does the nearest thing it can. */
export type Break = 'stall' | 'cut' | 'eof' | 'garbage' | 'error-bare' | 'error-data' | 'error-array';

/** An answer without an answer in it, in the shapes the recordings show. */
export type Emptiness = 'block-prompt' | 'block-answer' | 'recitation' | 'empty' | 'no-parts';

export type Behaviour = {
  readonly refusal?: { readonly status: number; readonly as: 'json' | 'html' };
  /** The refusal is for the first request that carries this text; the next ones are answered. */
  readonly refusesOnce?: string;
  readonly isSilent?: true;
  readonly headersDelayMs?: number;
  readonly chunkDelayMs?: number;

  readonly breaks?: Break;
  readonly breaksAfterChunks?: number;

  readonly emptiness?: Emptiness;
  readonly finishReason?: string;
  readonly isContinued?: true;
  readonly callName?: string;
  readonly callCount?: number;
  readonly hasThoughts?: true;
  readonly signsEmptyPart?: true;
  readonly hasImage?: true;
  readonly hasCitations?: true;
  readonly textBytes?: number;
  readonly chunkCount?: number;
  readonly candidateCount?: number;

  readonly lineEnd?: '\n';
  readonly isUnterminated?: true;
  readonly sliceBytes?: number;
};
