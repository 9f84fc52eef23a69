// What the parts of the conformance suite work on.

import type { SessionStore } from '../../../src/chat/session-store.ts';

/** With these the suite can see the ledger's limits. */
export const CONFORMANCE_RULES = { ledgerTurnsMax: 8, ledgerBytesMax: 10_000 } as const;

/** The stores of the running test. */
export interface Bench {
  readonly store: SessionStore;
  /** The same sessions through another replica; the same object where there can be only one. */
  readonly other: SessionStore;
  /** How many sessions a long list has. */
  readonly manySessions: number;
  /** What each record costs beside its bytes. */
  readonly bytesBeside: number;
}
