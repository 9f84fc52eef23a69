// The committed history of a session, and how it is changed by other means than turns: a part of the port to the store, whose
// rules are in `session-store.ts`.

import type { SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';

/** Everything after the first `length` messages is to go. */
export interface RewindSession {
  readonly length: number;
  /** Of the messages that go. */
  readonly bytesRemoved: number;
  /** Turns whose messages go: `readTurn` says so from then on. */
  readonly supersededTurnIds: readonly string[];
  /** The turn that owns the last two messages then. The last one leaves no function call open. */
  readonly latestTurnId?: string;
  /** The version that all this was made from. */
  readonly ifVersion: number;
  readonly attempt: string;
}

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

  /** Messages of the committed history, in its order; fewer than `count` at the end. Costs O(page). */
  readMessages(key: SessionKey, range: MessageRange): Promise<readonly Uint8Array[]>;
}
