// What everything works with that is done to sessions.

import type { FollowedTurns } from './followed-turns.ts';
import type { Permissions } from './permissions.ts';
import type { Places } from './places.ts';
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
  /** Sessions of one owner; 0 for as many as it wants. */
  readonly sessionsPerOwnerMax: number;
}

/** For a session that is to be made. */
export function sessionsMaxOf({ sessionsPerOwnerMax }: ChatLimits): { readonly sessionsMax?: number } {
  return sessionsPerOwnerMax === 0 ? {} : { sessionsMax: sessionsPerOwnerMax };
}

export interface ChatDependencies extends TurnDependencies {
  readonly running: RunningTurns;
  readonly waiting: WaitingTurns;
  readonly followed: FollowedTurns;
  readonly chatLimits: ChatLimits;
  readonly permissions: Permissions;
  /** For turns that run or wait. */
  readonly turnPlaces: Places;
  /** Whether this process has more to do than it can: then no turn begins here, and everything else goes on. */
  readonly isOverloaded: () => boolean;
}
