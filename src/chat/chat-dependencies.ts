// What everything works with that is done to sessions.

import type { FollowedTurns } from './followed-turns.ts';
import type { Permissions } from './permissions.ts';
import type { RunningTurns } from './running-turns.ts';
import type { TurnDependencies } from './turn-plan.ts';
import type { WaitingTurns } from './waiting-turns.ts';

/** How long a request can be sent again. */
export const IDEMPOTENCY_TTL_MS = 86_400_000;

export interface ChatLimits {
  readonly configBytesMax: number;
  readonly historyMessagesMax: number;
  readonly historyBytesMax: number;
  readonly sessionTtlS: number;
  readonly leaseMs: number;
  /** How many turns may wait for one session. */
  readonly queueTurnsMax: number;
}

export interface ChatDependencies extends TurnDependencies {
  readonly running: RunningTurns;
  readonly waiting: WaitingTurns;
  readonly followed: FollowedTurns;
  readonly chatLimits: ChatLimits;
  readonly permissions: Permissions;
}
