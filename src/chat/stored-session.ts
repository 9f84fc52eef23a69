// What a store knows of a session, its history and its turns aside.

import type { Encoded } from './encoded.ts';
import type { Usage } from './language-model.ts';
import type { Seal } from './seal.ts';

export interface StoredSession {
  readonly sessionId: string;
  readonly config: Encoded;
  readonly ttlS: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly version: number;
  /** That the last turn began with, or the session if there was none. */
  readonly epoch: number;
  readonly messageCount: number;
  readonly usage: Usage;
  readonly running?: RunningMark;
  readonly seal?: Seal;
}

/** Who holds the session, and until when its producer has promised to be alive. */
export interface RunningMark {
  readonly turnId: string;
  readonly epoch: number;
  readonly leaseUntilMs: number;
}
