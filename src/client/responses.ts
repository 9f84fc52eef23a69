// What the client hands out: the shapes of the seed's responses, and of what the service keeps.

import type { Part } from '../chat/content.ts';
import type { Citation, GroundingMetadata, SafetyRating } from '../chat/language-model.ts';
import type { Session as DomainSession } from '../chat/session.ts';

/**
 * One piece of a streamed answer. Pieces with text come first, in the order of the model; the last piece of each
 * candidate has its `finishReason` and the facts about the whole candidate, and no text.
 */
export interface TextGenerationResponse {
  /** The candidate that it belongs to; 0 unless several were asked for. */
  readonly index: number;
  /** Visible text to append; may be empty. */
  readonly text: string;
  /** All parts of this piece, plain text included: thoughts, function calls, data. `text` is their visible text. */
  readonly parts: readonly Part[];
  readonly isBlocked: boolean;
  readonly blockReason?: string;
  /** The model's word, verbatim; only on a candidate's last piece. */
  readonly finishReason?: string;
  /** Numeric codes of the legacy models, on the piece that says that the turn is blocked. */
  readonly errors: readonly number[];
  readonly safetyAttributes: Readonly<Record<string, number>>;
  readonly safetyRatings?: readonly SafetyRating[];
  readonly groundingMetadata: GroundingMetadata;
  readonly citations: readonly Citation[];
}

/** A session as it is read: its configuration, its lifetime and its numbers. */
export type Session = Omit<DomainSession, 'activeTurnId'> & {
  /** The turn that is running now. */
  readonly activeTurn?: { readonly turnId: string; readonly eventsUrl: string };
};
