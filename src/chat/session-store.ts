// The port to the store of sessions. It speaks of sessions and turns, not of a database: every call is one atomic
// step, and idempotent under a resend of the same call. Contents are opaque bytes to it (they may be encrypted);
// only what it needs to keep order is in the clear: versions, counts, times, ids, states, token sums.
//
// Every call may fail with `store_unavailable` (nothing is known of the outcome) and, unless it says otherwise,
// with `session_not_found`.

import type { BeginTurn, Begun, Idempotency, KeptIdempotency, LeaveLine, Recalled } from './claim.ts';
import type { Usage } from './language-model.ts';
import type { Page, SessionKey } from './session.ts';
import type { TurnEndState } from './turn.ts';
import type { EventCursor } from './turn-event.ts';
import type { Keep } from './turn-machine.ts';

export interface StoredSession {
  readonly sessionId: string;
  readonly config: Uint8Array;
  readonly ttlS: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly version: number;
  readonly messageCount: number;
  readonly usage: Usage;
  readonly running?: RunningMark;
}

/** Who holds the session, and until when its producer has promised to be alive. */
export interface RunningMark {
  readonly turnId: string;
  readonly epoch: number;
  readonly leaseUntilMs: number;
}

export interface CreateSession {
  readonly config: Uint8Array;
  readonly ttlS: number;
  readonly messages: readonly Uint8Array[];
  /** The function calls that the last message leaves open (`openCalls`). */
  readonly openCalls: string;
  /** Names this call, so that its resend is not taken for another one. */
  readonly attempt: string;
  readonly idempotency?: KeptIdempotency;
}

export interface UpdateSession {
  readonly config: Uint8Array;
  readonly ttlS: number;
  /** The version that `config` was made from. */
  readonly ifVersion: number;
  readonly attempt: string;
}

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

/** What the ledger holds of a turn. */
export interface StoredTurn {
  /** With all candidates while they are kept. */
  readonly record: Uint8Array;
  /** It has committed, and its messages have been removed from the history since. */
  readonly isSuperseded: boolean;
}

/** A run of frames of one turn, and the sequence number that it follows. */
export interface EventBatch {
  readonly afterSeq: number;
  readonly lastSeq: number;
  readonly frames: Uint8Array;
}

export type Appended =
  /** `cancel` when somebody wants the turn to end. */
  | { readonly outcome: 'appended'; readonly cancel?: Keep }
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

export interface FinishTurn {
  readonly turnId: string;
  readonly epoch: number;
  readonly state: TurnEndState;
  readonly batch: EventBatch;
  /** The record that stays: the turn with its chosen candidate. */
  readonly record: Uint8Array;
  /** The turn with all candidates, when there are several; kept while it is the newest. */
  readonly fullRecord?: Uint8Array;
  /** Question and answer, when they enter the history. */
  readonly messages?: readonly [Uint8Array, Uint8Array];
  readonly openCalls: string;
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

export interface ReapTurn {
  readonly turnId: string;
  readonly epoch: number;
  readonly record: Uint8Array;
  readonly frame: { readonly seq: number; readonly bytes: Uint8Array };
}

export interface MessageRange {
  /** Position of the first message of the page, counted from the start of the history. */
  readonly start: number;
  readonly count: number;
}

/** What a ring is about. */
export type News = 'frames' | 'step';

export interface Watch {
  /** Idempotent. */
  close(): void;
}

export interface SessionStore {
  /**
   * With an idempotency key, the session that the first call of this key has made for this owner, under the id that it was
   * given then, as it is now. Fails with `session_exists` when the id is taken, `idempotency_mismatch`.
   */
  create(key: SessionKey, session: CreateSession): Promise<StoredSession>;

  /** Reads do not slide the lifetime. */
  read(key: SessionKey): Promise<StoredSession>;

  /** Sessions of one owner, newest activity first. Eventually consistent; costs O(page). Fails with `invalid_page_token`. */
  list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>>;

  /** Replaces the configuration. `version_mismatch` when the session has another version than `ifVersion`. */
  update(key: SessionKey, change: UpdateSession): Promise<StoredSession>;

  /**
   * Removes the newest messages, with the candidates and the question that are kept of the newest turns. The turns stay in the
   * ledger. Fails with `turn_in_progress`, `version_mismatch`.
   */
  rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession>;

  /** Removes every trace; a running turn can never finish afterwards. Fails with `session_not_found` the second time. */
  delete(key: SessionKey): Promise<void>;

  /** Messages of the committed history, in its order; fewer than `count` at the end. Costs O(page). */
  readMessages(key: SessionKey, range: MessageRange): Promise<readonly Uint8Array[]>;

  /** What `begin` would answer for the sake of the idempotency key alone; `undefined` when the key is new. */
  recall(key: SessionKey, idempotency: Idempotency): Promise<Recalled | undefined>;

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
  append(key: SessionKey, epoch: number, batch: EventBatch): Promise<Appended>;

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

  /** The epoch that the turn began with, under which its frames are. Fails with `turn_not_found`. */
  epochOf(key: SessionKey, turnId: string): Promise<number>;

  /** Frames of one turn after `afterSeq`, as far as they were flushed; empty when the log is gone. */
  readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]>;

  /** Frames of all turns after the cursor, as far as they were flushed and are kept: the running turn and the one before. */
  readEvents(key: SessionKey, after: EventCursor): Promise<readonly (EventBatch & { readonly epoch: number })[]>;

  /** Before the first event of the running turn or, when none runs, after everything that was. */
  cursorNow(key: SessionKey): Promise<EventCursor>;

  /**
   * Rings after every step of a turn of this session, whichever process took it, until the watch is closed; with `frames` when
   * the step added nothing but frames to the log of the running turn, which is most of the time. A ring can
   * be lost, or come without news: it says when to read, the store says what. Once this resolves, no later step is missed
   * but by a lost connection, whose return rings.
   */
  watch(key: SessionKey, ring: (news: News) => void): Promise<Watch>;

  /** Whether the store answers now. Never throws. */
  isReady(): Promise<boolean>;

  close(): Promise<void>;
}
