// The turns of a session: a part of the port to the store, whose rules are in `session-store.ts`.

import type { BeginTurn, Begun, Idempotency, LeaveLine, Recalled } from './claim.ts';
import type { Encoded } from './encoded.ts';
import type { Usage } from './language-model.ts';
import type { Sealed } from './seal.ts';
import type { Page, SessionKey } from './session.ts';
import type { TurnEndState } from './turn.ts';
import type { EventCursor } from './turn-event.ts';
import type { Keep } from './turn-machine.ts';
import type { UsageSums } from './usage-sums.ts';

/** What the ledger holds of a turn. */
export interface StoredTurn {
  readonly turnId: string;
  /** With all candidates while they are kept. */
  readonly record: Encoded;
  /** It has committed, and its messages have been removed from the history since. */
  readonly isSuperseded: boolean;
}

/** A run of frames of one turn, and the sequence number that it follows. */
export interface EventBatch {
  readonly afterSeq: number;
  readonly lastSeq: number;
  readonly frames: Encoded;
}

export type Appended =
  /** `cancel` when somebody wants the turn to end; `isWatched` when somebody watches the session, as far as the store can tell. */
  | { readonly outcome: 'appended'; readonly cancel?: Keep; readonly isWatched?: boolean }
  /** The store has less than the batch follows: send again from `lastSeq`. */
  | { readonly outcome: 'gap'; readonly lastSeq: number }
  | Lost;

/** The turn is not this producer's any more: reaped or taken over (`fenced`), or its session deleted (`gone`). */
export type Lost = { readonly outcome: 'fenced' } | { readonly outcome: 'gone' };

export type Renewed = { readonly outcome: 'renewed'; readonly cancel?: Keep } | Lost;

/** The turn of this session and epoch is to end. */
export interface CancelRequest {
  readonly key: SessionKey;
  readonly epoch: number;
  readonly keep: Keep;
}

export interface FinishTurn extends Sealed {
  readonly turnId: string;
  readonly epoch: number;
  readonly state: TurnEndState;
  readonly batch: EventBatch;
  /** The record that stays: the turn with its chosen candidate. */
  readonly record: Encoded;
  /** The turn with all candidates, when there are several; kept while it is the newest. */
  readonly fullRecord?: Encoded;
  /** Question and answer, when they enter the history. */
  readonly messages?: readonly [Encoded, Encoded];
  /** How many messages are before them. */
  readonly position: number;
  readonly openCalls: string;
  /** The turn whose messages go when these enter. */
  readonly replacedTurnId?: string;
  readonly usage?: Usage;
  /** The session's version after this step, as the record and the last event name it: one more if it commits. */
  readonly version: number;
}

export type Finished =
  | { readonly outcome: 'finished'; readonly version: number }
  | { readonly outcome: 'gap'; readonly lastSeq: number }
  /** The session changed meanwhile: `version` is what this step would make it now. Name that and finish again. */
  | { readonly outcome: 'version_moved'; readonly version: number }
  | Lost;

export interface ReapTurn extends Sealed {
  readonly turnId: string;
  readonly epoch: number;
  readonly record: Encoded;
  /** The last one, and its number. */
  readonly frame: Encoded;
  readonly seq: number;
}

export interface TurnStore {
  /** What `begin` would answer for the sake of the idempotency key alone; `undefined` when the key is new. */
  recall(key: SessionKey, idempotency: Idempotency & Sealed): Promise<Recalled | undefined>;

  /** Claim the session for a turn. The history comes with it, as the turn has to see it. */
  begin(key: SessionKey, turn: BeginTurn): Promise<Begun>;

  /**
   * Take back a claim whose outcome is not known, and by which nobody has been asked: if it was made, there is no such turn
   * any more, and its idempotency key is free. Idempotent; nothing happens when it was not made.
   */
  letGo(key: SessionKey, turn: Pick<BeginTurn, 'turnId' | 'attempt'>): Promise<void>;

  /** End a turn that waits. False when it does not wait (any more), or is alive although only a dead one was to go. */
  leave(key: SessionKey, turn: LeaveLine): Promise<boolean>;

  /** Add frames to the turn's log. Refused to anybody but the turn's own producer. */
  append(key: SessionKey, epoch: number, batch: EventBatch & Sealed): Promise<Appended>;

  /**
   * End the turn: write its last events, add its messages if it committed, release the session.
   * Finishing the same epoch again changes nothing and answers the same version.
   */
  finish(key: SessionKey, turn: FinishTurn): Promise<Finished>;

  /** Promise to be alive for another `leaseMs`. */
  renew(key: SessionKey, epoch: number, leaseMs: number): Promise<Renewed>;

  /**
   * Ask the producer of a running turn to end it; the first to ask decides what is kept. Durable: its producer is told by
   * the next answer to `append` or `renew`, and sooner by `onCancel`. False when the turn has ended already. Fails with
   * `turn_not_found`.
   */
  requestCancel(key: SessionKey, turnId: string, keep: Keep): Promise<boolean>;

  /**
   * Calls `listener` for turns that began here and are to end, since somebody asked for it or their session was deleted, soon
   * after it was so; some may be missed.
   */
  onCancel(listener: (request: CancelRequest) => void): void;

  /** End a turn whose producer is dead. False when it is alive or the turn has ended otherwise; nothing changed then. */
  reap(key: SessionKey, turn: ReapTurn): Promise<boolean>;

  /** Fails with `turn_not_found` when the ledger does not (or no longer) hold the turn. */
  readTurn(key: SessionKey, turnId: string): Promise<StoredTurn>;

  /** What a turn was asked that did not commit, if it is the newest that has begun; `undefined` otherwise. */
  readQuestion(key: SessionKey, turnId: string): Promise<Encoded | undefined>;

  /** What the turns of the session have used, as far as it was reported when they ended. */
  readUsage(key: SessionKey): Promise<UsageSums>;

  /**
   * Turns as `readTurn` gives them, the newest first, by when they came: also those that run and wait. A page may be shorter
   * than asked for; the token tells whether there is more. What has been paged through stays in its place, whatever comes
   * or begins; the oldest make room. Costs O(page). Fails with `invalid_page_token`.
   */
  listTurns(key: SessionKey, pageSize: number, pageToken?: string): Promise<Page<StoredTurn>>;

  /**
   * The epoch that the turn began with, under which its frames are; no whole number when it has done nothing but wait. Fails
   * with `turn_not_found`.
   */
  epochOf(key: SessionKey, turnId: string): Promise<number>;

  /** Frames of one turn after `afterSeq`, as far as they were flushed; empty when the log is gone. */
  readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]>;

  /** Frames of all turns after the cursor, as far as they were flushed and are kept: the running turn and the one before. */
  readEvents(key: SessionKey, after: EventCursor): Promise<readonly (EventBatch & { readonly epoch: number })[]>;

  /** Before the first event of the running turn or, when none runs, after everything that was. */
  cursorNow(key: SessionKey): Promise<EventCursor>;
}
