// The port to the store of sessions. It speaks of sessions and turns, not of a database: every call is one atomic
// step, and idempotent under a resend of the same call. Contents are opaque to it (they may be encrypted);
// only what it needs to keep order is in the clear: versions, counts, times, ids, states, token sums.
//
// Every call may fail with `store_unavailable` (nothing is known of the outcome) and, unless it says otherwise,
// with `session_not_found`. Calls that bring contents name the seal that they are made for, and throw a `SealMismatch` when
// the session has another one.
//
// What is asked of a session as a whole is here; of its turns in `turn-store.ts`, of its history in `history-store.ts`.

import type { Idempotency, KeptIdempotency } from './claim.ts';
import type { Encoded } from './encoded.ts';
import type { HistoryStore } from './history-store.ts';
import type { Seal, Sealed } from './seal.ts';
import type { Page, SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';
import type { TurnStore } from './turn-store.ts';
import type { UsageSums } from './usage-sums.ts';

export interface CreateSession {
  readonly config: Encoded;
  readonly ttlS: number;
  readonly messages: readonly Encoded[];
  /** The function calls that the last message leaves open (`openCalls`). */
  readonly openCalls: string;
  /** Names this call, so that its resend is not taken for another one. */
  readonly attempt: string;
  readonly idempotency?: KeptIdempotency;
  /** How many sessions its owner may have, those that have expired aside. */
  readonly sessionsMax?: number;
  /** What the contents are sealed with; kept with the session. */
  readonly seal?: Seal;
}

export interface UpdateSession extends Sealed {
  readonly config: Encoded;
  readonly ttlS: number;
  /** The version that `config` was made from. */
  readonly ifVersion: number;
  readonly attempt: string;
}

/** What a ring is about. */
export type News = 'frames' | 'step';

export interface Watch {
  /** Idempotent. */
  close(): void;
}

export interface SessionStore extends TurnStore, HistoryStore {
  /**
   * With an idempotency key, the session that the first call of this key has made for this owner, under the id that it was
   * given then, as it is now. Fails with `session_exists` when the id is taken, `idempotency_mismatch`, and with `rate_limited`
   * when the owner has as many sessions as it may; also when many are made at a time, on whatever replicas.
   */
  create(key: SessionKey, session: CreateSession): Promise<StoredSession>;

  /**
   * The id under which `create` makes the session of this idempotency key: that which its first call came with. Fails with
   * `idempotency_mismatch`.
   */
  claimCreation(key: SessionKey, idempotency: KeptIdempotency): Promise<string>;

  /** The session that a creation of this key has made, as it is now, if there is one. Fails with `idempotency_mismatch`. */
  recallCreation(owner: string, idempotency: Idempotency): Promise<StoredSession | undefined>;

  /** Reads do not slide the lifetime. */
  read(key: SessionKey): Promise<StoredSession>;

  /** Sessions of one owner, newest activity first. Eventually consistent; costs O(page). Fails with `invalid_page_token`. */
  list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>>;

  /**
   * What the owner's turns of a month (`YYYY-MM`) have used. Eventually consistent: each turn is added once, soon after its
   * end, or not at all when its process dies before, or the store is away for minutes. Sessions that are deleted leave it as it is.
   */
  ownerUsage(owner: string, month: string): Promise<UsageSums>;

  /** Replaces the configuration. `version_mismatch` when the session has another version than `ifVersion`. */
  update(key: SessionKey, change: UpdateSession): Promise<StoredSession>;

  /** Puts another wrapping around the key of a seal. No change of the session; nothing happens when it has another seal. */
  rewrap(key: SessionKey, seal: Seal): Promise<void>;

  /**
   * Removes every trace; a running turn can never finish afterwards. Fails with `version_mismatch` when the session has another
   * version than `ifVersion`, with `session_not_found` the second time.
   */
  delete(key: SessionKey, ifVersion?: number): Promise<void>;

  /**
   * Rings after every step of a turn of this session, whichever process took it, until the watch is closed; with `frames` when
   * the step added nothing but frames to the log of the running turn, which is most of the time. A ring can
   * be lost, or come without news: it says when to read, the store says what. Once this resolves, no later step is missed
   * but by a lost connection, whose return rings.
   */
  watch(key: SessionKey, ring: (news: News) => void): Promise<Watch>;

  /** Names the session as no other one of this store is named, without telling its owner: what contents are bound to. */
  addressOf(key: SessionKey): string;

  /** Whether the store answers now. Never throws. */
  isReady(): Promise<boolean>;

  close(): Promise<void>;
}
