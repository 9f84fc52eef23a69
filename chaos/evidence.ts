// What a run has seen: every operation of every client with its outcome, what was disturbed, what the model was asked, what
// is left in the store, and how the processes are. The checker judges it, and nothing else.

import type { Resources } from '../test/support/resources.ts';

/**
 * `ok`: done, and acknowledged. `fail`: refused, or ended without a trace in the history. `info`: nobody knows (a reset,
 * a time-out, a stream without its terminal event, a store that did not answer).
 */
export type Outcome = 'ok' | 'fail' | 'info';

interface Observed {
  /** In the order in which operations began. */
  readonly number: number;
  readonly client: string;
  readonly sessionId: string;
  readonly replica: number;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly outcome: Outcome;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly code?: string;
}

export interface Frame {
  readonly id: string;
  readonly event: string;
  /** As it came over the wire. */
  readonly data: string;
  /** When it came. */
  readonly atMs?: number;
}

/** One connection on which a turn, or a session, was watched. */
export interface Segment {
  readonly replica: number;
  /** The cursor it was asked to go on after. */
  readonly after?: string;
  readonly status: number;
  readonly frames: readonly Frame[];
  /** `left`: the client hung up. `cut`: the connection broke. `endless`: it went on beyond any end of a turn. */
  readonly end: 'end' | 'cut' | 'left' | 'endless';
}

export interface TurnView {
  readonly turnId: string;
  readonly state: string;
  readonly text: string;
  readonly messages?: readonly string[];
  readonly sessionVersion?: number;
  readonly code?: string;
}

export interface MessageView {
  readonly id: string;
  readonly turnId?: string;
  readonly author: string;
  readonly content: string;
  readonly parts: readonly unknown[];
}

export interface SendOperation extends Observed {
  readonly kind: 'send';
  readonly way: 'unary' | 'stream' | 'async';
  readonly token: string;
  readonly question: string;
  readonly turnId?: string;
  /** The id that the client chose for it. */
  readonly wanted?: string;
  /** It goes before all who wait. */
  readonly isInterrupting?: boolean;
  readonly key?: string;
  /** The body differs from the one this key was first used with. */
  readonly hasOtherBody?: boolean;
  /** The turn as its last answer or terminal event told it. A terminal event has no text. */
  readonly turn?: TurnView;
  readonly segments: readonly Segment[];
  /** After the faults were over: it has to commit. */
  readonly isProbe?: boolean;
}

/** A turn that was watched from its beginning by somebody who has not sent it. */
export interface WatchOperation extends Observed {
  readonly kind: 'watch';
  readonly turnId: string;
  readonly turn?: TurnView;
  readonly segments: readonly Segment[];
}

/** All turns of a session, watched for a while. */
export interface FollowOperation extends Observed {
  readonly kind: 'follow';
  readonly segments: readonly Segment[];
}

export type Operation =
  | SendOperation
  | (Observed & { readonly kind: 'create'; readonly version?: number })
  | (Observed & { readonly kind: 'patch'; readonly version?: number; readonly displayName: string })
  | (Observed & { readonly kind: 'delete' })
  | WatchOperation
  | FollowOperation
  | (Observed & {
      readonly kind: 'session';
      readonly version?: number;
      readonly messageCount?: number;
      readonly activeTurnId?: string;
      readonly isFinal?: boolean;
    })
  | (Observed & { readonly kind: 'history'; readonly messages?: readonly MessageView[]; readonly isFinal?: boolean })
  | (Observed & {
      readonly kind: 'turn';
      readonly turnId: string;
      readonly turn?: TurnView;
      readonly isFinal?: boolean;
    })
  | (Observed & {
      readonly kind: 'cancel';
      readonly turnId: string;
      readonly keep: 'none' | 'partial';
      readonly turn?: TurnView;
    });

export type Lane = 'replica' | 'redis' | 'network' | 'step';

export interface Disturbed {
  readonly lane: Lane;
  readonly kind: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly what: string;
}

export interface ModelCall {
  readonly token: string;
  readonly contents: number;
  /** Why the model would not take these contents. */
  readonly refusal?: string;
}

export interface KeyLeft {
  readonly name: string;
  readonly ttlMs: number;
}

export interface Used extends Resources {
  /** After its garbage has been collected. */
  readonly liveMiB: number;
}

export interface ProcessFact {
  readonly replica: number;
  readonly baseline?: Used;
  readonly atEnd?: Used;
  /** What its log or its end says that must never be. */
  readonly alarms: readonly string[];
}

export interface Evidence {
  readonly operations: readonly Operation[];
  readonly disturbed: readonly Disturbed[];
  readonly modelCalls: readonly ModelCall[];
  readonly keys: readonly KeyLeft[];
  /** Of sessions that somebody still watches, although no client does. */
  readonly channels: readonly string[];
  readonly processes: readonly ProcessFact[];
}

export interface Violation {
  /** As numbered in the list of invariants: I1, I2, … */
  readonly invariant: string;
  readonly message: string;
  readonly sessionId?: string;
  /** Numbers of the operations that show it. */
  readonly operations: readonly number[];
}

export function isSend(operation: Operation): operation is SendOperation {
  return operation.kind === 'send';
}
