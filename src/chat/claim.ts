// What it takes to claim a session for a turn, and what can come of it: a part of the port to the store.

import type { Encoded } from './encoded.ts';
import type { SeenState } from './known-sessions.ts';
import type { Sealed } from './seal.ts';

/** A key by which a caller names one request, so that it can be sent again; and what was sent with it. */
export interface Idempotency {
  readonly key: string;
  readonly fingerprint: string;
}

/** The same with the time for which it can be sent again. */
export interface KeptIdempotency extends Idempotency {
  readonly ttlMs: number;
}

export type OnBusy = 'reject' | 'enqueue' | 'interrupt';

/** Who is in the way. When `hasLease` is false its process is dead: `reap` it or, if it `isWaiting`, let it `leave`. */
export interface Holder {
  readonly turnId: string;
  readonly epoch: number;
  readonly hasLease: boolean;
  readonly isWaiting: boolean;
}

export interface LeaveLine extends Sealed {
  readonly turnId: string;
  /** The record that stays. */
  readonly record: Encoded;
  /** Only when its process has not come back for it in time. */
  readonly onlyIfDead: boolean;
}

/** The turn whose question is asked again. */
export interface QuestionAgain {
  readonly turnId: string;
  /** It owns the last two messages, which this turn does not see, and takes the place of when it commits. */
  readonly isReplaced: boolean;
}

export interface BeginTurn extends Sealed {
  readonly turnId: string;
  readonly idempotency?: KeptIdempotency;
  /**
   * What to do while another turn runs, or waits: be refused, wait in line, wait at its front; or begin, or keep the place
   * that was taken before, for another lease.
   */
  readonly onBusy: OnBusy | 'waiting';
  /** How many may wait, and the record of this one while it does; empty when it will not. */
  readonly line: { readonly places: number; readonly record: Encoded };
  /** The record of the running turn. */
  readonly record: Encoded;
  /** Kept until the turn has committed, so that a turn that did not can be asked again. */
  readonly question: Encoded;
  /** The calls that the question answers; must be exactly those that the history leaves open. */
  readonly answeredCalls: string;
  readonly again?: QuestionAgain;
  readonly ifVersion?: number;
  /**
   * What the caller knows of the session, and has made this turn of: it begins only if that is still so, and then the history
   * does not come with it.
   */
  readonly seen?: SeenState;
  readonly leaseMs: number;
  readonly historyLimit: { readonly messages: number; readonly bytes: number };
  /** What the turns of the session have spent must be less. */
  readonly tokenBudget?: number;
  readonly attempt: string;
}

export type Begun =
  | {
      readonly outcome: 'begun';
      readonly epoch: number;
      readonly version: number;
      /** Absent when the caller has seen it. */
      readonly history?: readonly Encoded[];
    }
  | (Holder & { readonly outcome: 'busy' })
  /** It waits; `place` counts from 1. */
  | { readonly outcome: 'waits'; readonly place: number; readonly holder: Holder }
  | { readonly outcome: 'queue_full' }
  /** It has lost its place: somebody has ended it. */
  | { readonly outcome: 'left' }
  /** Something has happened since what the caller has `seen`. Nothing is claimed: read, and try again. */
  | { readonly outcome: 'stale' }
  | { readonly outcome: 'turn_exists' }
  /** `again` names a turn that does not own the last messages, or whose question is not kept (any more). */
  | { readonly outcome: 'not_latest_turn' }
  /** The key has been used: by a send of the same content, whose turn this is, or by another one. */
  | Recalled
  | { readonly outcome: 'version_mismatch'; readonly version: number }
  | { readonly outcome: 'budget_exhausted'; readonly tokensSpent: number }
  | { readonly outcome: 'history_full'; readonly messageCount: number }
  | { readonly outcome: 'calls_mismatch'; readonly openCalls: string };

export type Recalled =
  | { readonly outcome: 'repeated'; readonly turnId: string }
  | { readonly outcome: 'idempotency_mismatch' };
