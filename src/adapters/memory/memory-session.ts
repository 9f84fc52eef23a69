// One session in memory.

import type { QuestionAgain } from '../../chat/claim.ts';
import { bytesIn, type Encoded } from '../../chat/encoded.ts';
import { type Seal, type Sealed, SealMismatch } from '../../chat/seal.ts';
import type { CreateSession } from '../../chat/session-store.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import type { EventCursor } from '../../chat/turn-event.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type { EventBatch } from '../../chat/turn-store.ts';
import { NO_SUMS, type UsageSums } from '../../chat/usage-sums.ts';

interface TurnRecord {
  /** Counted from 1, in the order in which they came. */
  readonly place: number;
  readonly epoch: number;
  readonly idempotencyKey?: string;
  record: Encoded;
  /** The session's version when the turn had ended; `reaped` when it was ended for its producer. */
  end?: number | 'reaped';
  /** Its messages have been removed. */
  isSuperseded?: boolean;
}

export interface Running {
  readonly turnId: string;
  readonly attempt: string;
  leaseUntilMs: number;
  seq: number;
  cancel?: Keep;
}

interface Waiting {
  readonly turnId: string;
  readonly attempt: string;
  /** It interrupts, and is before all who do not. */
  readonly isFront: boolean;
  leaseUntilMs: number;
}

interface KeptSend {
  readonly fingerprint: string;
  readonly expireTimeMs: number;
  readonly turnId: string;
}

export interface MemorySession {
  config: Encoded;
  seal?: Seal;
  ttlS: number;
  readonly createTimeMs: number;
  updateTimeMs: number;
  /** Later than update time plus ttl while a turn runs. */
  expireTimeMs: number;
  version: number;
  /** The attempt that made it. */
  readonly made: string;
  /** The idempotency key that it was made with. */
  creation?: string;
  /** The attempts of the newest changes that were no turns. */
  readonly changes: string[];
  readonly history: Encoded[];
  historyBytes: number;
  openCalls: string;
  /** Epochs up to this one belong to an older session of the same name. */
  readonly bornEpoch: number;
  epoch: number;
  running?: Running | undefined;
  /** In order of their places. */
  readonly turns: Map<string, TurnRecord>;
  /** The last one that was given. */
  turnPlace: number;
  turnBytes: number;
  /** Records with all candidates: of the turn that owns the last messages, and of the newest one. */
  readonly fullRecords: Map<string, Encoded>;
  latestTurnId?: string | undefined;
  /** By turn: what was asked, until it is answered. */
  readonly questions: Map<string, Encoded>;
  /** Frames of the running turn and of the one before it. */
  log: { readonly epoch: number; readonly batch: EventBatch }[];
  /** Who waits, in order. */
  line: Waiting[];
  /** By idempotency key. */
  readonly sends: Map<string, KeptSend>;
  /** The keys of the newest imports. */
  readonly imports: string[];
  used: UsageSums;
}

export function newSession(given: CreateSession, bornEpoch: number, nowMs: number): MemorySession {
  return {
    config: given.config,
    ...(given.seal ? { seal: given.seal } : {}),
    ttlS: given.ttlS,
    createTimeMs: nowMs,
    updateTimeMs: nowMs,
    expireTimeMs: nowMs + given.ttlS * 1000,
    version: 1,
    made: given.attempt,
    changes: [],
    history: [...given.messages],
    historyBytes: sizeOf(given.messages),
    openCalls: given.openCalls,
    bornEpoch,
    epoch: bornEpoch,
    turns: new Map(),
    turnPlace: 0,
    turnBytes: 0,
    fullRecords: new Map(),
    questions: new Map(),
    log: [],
    line: [],
    sends: new Map(),
    imports: [],
    used: NO_SUMS,
  };
}

export function presentStored(sessionId: string, session: MemorySession): StoredSession {
  const { running, seal } = session;
  return {
    sessionId,
    config: session.config,
    ttlS: session.ttlS,
    createTimeMs: session.createTimeMs,
    updateTimeMs: session.updateTimeMs,
    version: session.version,
    epoch: session.epoch,
    messageCount: session.history.length,
    usage: session.used.usage,
    ...(running
      ? { running: { turnId: running.turnId, epoch: session.epoch, leaseUntilMs: running.leaseUntilMs } }
      : {}),
    ...(seal ? { seal } : {}),
  };
}

/** Contents of another seal are not taken. */
export function checkSeal({ seal }: MemorySession, { sealId }: Sealed): void {
  if (seal?.id !== sealId) throw new SealMismatch();
}

/** Activity: the lifetime slides, and never ends before a running turn. */
export function touch(session: MemorySession, nowMs: number): void {
  session.updateTimeMs = nowMs;
  session.expireTimeMs = nowMs + session.ttlS * 1000;
  keepWhileRunning(session, nowMs);
}

export function keepWhileRunning(session: MemorySession, nowMs: number): void {
  const { running } = session;
  if (!running) return;
  const leaseMs = running.leaseUntilMs - nowMs;
  session.expireTimeMs = Math.max(session.expireTimeMs, nowMs + 2 * leaseMs);
}

/** Whether the question of this turn can be asked again, in that way. */
export function canBeAsked({ latestTurnId, questions }: MemorySession, { turnId, isReplaced }: QuestionAgain): boolean {
  return isReplaced ? latestTurnId === turnId : questions.has(turnId);
}

/** Of the newest turns, what can still be asked for. */
export function keepNewest({ fullRecords, questions, latestTurnId }: MemorySession, newest: string): void {
  for (const turnId of fullRecords.keys()) if (turnId !== latestTurnId) fullRecords.delete(turnId);
  for (const turnId of questions.keys()) if (turnId !== newest) questions.delete(turnId);
}

export function sizeOf(messages: readonly Encoded[]): number {
  return messages.reduce((sum, message) => sum + bytesIn(message), 0);
}

/** Frames of all turns after the cursor. */
export function eventsAfter(
  session: MemorySession | undefined,
  { epoch, seq }: EventCursor,
): readonly (EventBatch & { readonly epoch: number })[] {
  const isAfter = (of: number, last: number) => of > epoch || (of === epoch && last > seq);
  return (session?.log ?? [])
    .filter((entry) => isAfter(entry.epoch, entry.batch.lastSeq))
    .map((entry) => ({ epoch: entry.epoch, ...entry.batch }));
}
