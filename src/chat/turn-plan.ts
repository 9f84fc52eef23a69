// What a turn is made of before it runs: its plan, and what its producer works with.

import type { Clock, NewId } from './clock.ts';
import type { Part } from './content.ts';
import type { ChatError, DescribeProblem } from './errors.ts';
import type { FlushSchedule } from './flusher.ts';
import type { KnownSession, KnownSessions } from './known-sessions.ts';
import type { LanguageModel, ModelRequest } from './language-model.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { Turn, TurnStart } from './turn.ts';

export interface TurnLimits {
  readonly turnTimeoutMs: number;
  readonly answerSizeMax: number;
  /** How long `finish` is tried while the store does not answer. */
  readonly finishBudgetMs: number;
}

/** What a turn was, for the log: no contents. */
export interface TurnFacts {
  readonly turn: Turn;
  readonly sessionId: string;
  readonly isStream: boolean;
  readonly chunks: number;
  readonly firstChunkMs?: number;
  readonly durationMs: number;
  readonly error?: ChatError;
}

export interface TurnDependencies {
  readonly store: SessionStore;
  readonly model: LanguageModel;
  readonly known: KnownSessions;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly schedule: FlushSchedule;
  readonly describe: DescribeProblem;
  readonly limits: TurnLimits;
  readonly observe: (facts: TurnFacts) => void;
}

export interface TurnPlan {
  readonly key: SessionKey;
  readonly start: TurnStart;
  readonly epoch: number;
  readonly version: number;
  readonly question: readonly Part[];
  /** As the turn sees it. */
  readonly session: Pick<KnownSession, 'config' | 'history' | 'bytes'>;
  /** The turn whose messages make room when this one commits. */
  readonly replacedTurnId?: string;
  readonly request: ModelRequest;
  readonly isStream: boolean;
  /** The turn ends with it, and the model is not asked. */
  readonly refusal?: ChatError;
}
