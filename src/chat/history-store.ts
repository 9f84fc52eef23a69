// The committed history of a session, and how it is changed by other means than turns: a part of the port to the store, whose
// rules are in `session-store.ts`.

import type { KeptIdempotency } from './claim.ts';
import type { Encoded } from './encoded.ts';
import type { Sealed } from './seal.ts';
import type { SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';

/** What a change of the history was made from. */
interface HistoryChange {
  readonly ifVersion: number;
  /** Names this change, so that its resend is not taken for another one. */
  readonly attempt: string;
}

/** Everything after the first `length` messages is to go. */
export interface RewindSession extends HistoryChange {
  readonly length: number;
  readonly messagesRemoved: number;
  /** Of the messages that go. */
  readonly bytesRemoved: number;
  /** Turns whose messages go: `readTurn` says so from then on. */
  readonly supersededTurnIds: readonly string[];
  /** The turn that owns the last two messages then. The last one leaves no function call open. */
  readonly latestTurnId?: string;
}

/** Another answer of the turn that owns the last two messages takes the place of the last one. */
export interface ChooseCandidate extends HistoryChange, Sealed {
  readonly turnId: string;
  readonly message: Encoded;
  /** How many messages are before it. */
  readonly position: number;
  readonly openCalls: string;
  /** The record that stays, and the one with all candidates. */
  readonly record: Encoded;
  readonly fullRecord: Encoded;
}

/** Messages that no turn has made are to follow. */
export interface ImportMessages extends HistoryChange, Sealed {
  readonly messages: readonly Encoded[];
  /** How many messages are before them. */
  readonly position: number;
  readonly openCalls: string;
  readonly historyLimit: { readonly messages: number; readonly bytes: number };
  readonly idempotency?: KeptIdempotency;
}

/** What an idempotency key stands for that has made an import: no turn has such an id. */
export const IMPORTED = '/import';

export interface MessageRange {
  /** Position of the first message of the page, counted from the start of the history. */
  readonly start: number;
  readonly count: number;
}

export interface HistoryStore {
  /**
   * Removes the newest messages, with the candidates and the question that are kept of the newest turns. The turns stay in the
   * ledger. Fails with `turn_in_progress`, `version_mismatch`.
   */
  rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession>;

  /** Fails with `turn_in_progress`, `version_mismatch`, `not_latest_turn`. */
  choose(key: SessionKey, choice: ChooseCandidate): Promise<StoredSession>;

  /**
   * All or nothing. With an idempotency key that has imported the same before, the session as it is now. Fails with
   * `turn_in_progress`, `version_mismatch`, `history_full`, `idempotency_mismatch`.
   */
  importMessages(key: SessionKey, batch: ImportMessages): Promise<StoredSession>;

  /** Messages of the committed history, in its order; fewer than `count` at the end. Costs O(page). */
  readMessages(key: SessionKey, range: MessageRange): Promise<readonly Encoded[]>;
}
