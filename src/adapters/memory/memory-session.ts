// One session in memory, and the steps of a turn on it. Single-threaded, so each function is one atomic step.

import type { Usage } from '../../chat/language-model.ts';
import type {
  Appended,
  BeginTurn,
  Begun,
  EventBatch,
  Finished,
  FinishTurn,
  Lost,
  ReapTurn,
  StoredSession,
} from '../../chat/session-store.ts';

export interface LedgerRules {
  readonly ledgerTurnsMax: number;
  readonly ledgerBytesMax: number;
}

interface TurnRecord {
  record: Uint8Array;
  /** The session's version when the turn had ended; `reaped` when it was ended for its producer. */
  end?: number | 'reaped';
}

interface Running {
  readonly turnId: string;
  readonly attempt: string;
  leaseUntilMs: number;
  seq: number;
}

export interface MemorySession {
  config: Uint8Array;
  ttlS: number;
  readonly createTimeMs: number;
  updateTimeMs: number;
  /** Later than update time plus ttl while a turn runs. */
  expireTimeMs: number;
  version: number;
  attempt: string;
  readonly history: Uint8Array[];
  historyBytes: number;
  openCalls: string;
  /** Epochs up to this one belong to an older session of the same name. */
  readonly bornEpoch: number;
  epoch: number;
  running?: Running | undefined;
  /** In order of their beginning. */
  readonly turns: Map<string, TurnRecord>;
  turnBytes: number;
  /** Records with all candidates: of the turn that owns the last messages, and of the newest one. */
  readonly fullRecords: Map<string, Uint8Array>;
  latestTurnId?: string;
  question?: Uint8Array | undefined;
  /** Frames of the running turn and of the one before it. */
  log: { readonly epoch: number; readonly batch: EventBatch }[];
  usage: Required<Usage>;
}

export function presentStored(sessionId: string, session: MemorySession): StoredSession {
  const { running } = session;
  return {
    sessionId,
    config: session.config,
    ttlS: session.ttlS,
    createTimeMs: session.createTimeMs,
    updateTimeMs: session.updateTimeMs,
    version: session.version,
    messageCount: session.history.length,
    usage: session.usage,
    ...(running
      ? { running: { turnId: running.turnId, epoch: session.epoch, leaseUntilMs: running.leaseUntilMs } }
      : {}),
  };
}

/** Activity: the lifetime slides, and never ends before a running turn. */
export function touch(session: MemorySession, nowMs: number): void {
  session.updateTimeMs = nowMs;
  session.expireTimeMs = nowMs + session.ttlS * 1000;
  keepWhileRunning(session, nowMs);
}

function keepWhileRunning(session: MemorySession, nowMs: number): void {
  const { running } = session;
  if (!running) return;
  const leaseMs = running.leaseUntilMs - nowMs;
  session.expireTimeMs = Math.max(session.expireTimeMs, nowMs + 2 * leaseMs);
}

export function begin(session: MemorySession, turn: BeginTurn, nowMs: number): Begun {
  const { running, epoch, version, history } = session;
  if (running) {
    if (running.attempt === turn.attempt) return { outcome: 'begun', epoch, version, history: [...history] };
    return { outcome: 'busy', turnId: running.turnId, epoch, hasLease: running.leaseUntilMs > nowMs };
  }
  if (session.turns.has(turn.turnId)) return { outcome: 'turn_exists' };
  if (turn.ifVersion !== undefined && turn.ifVersion !== version) return { outcome: 'version_mismatch', version };
  if (session.openCalls !== turn.answeredCalls) return { outcome: 'calls_mismatch', openCalls: session.openCalls };
  const { messages, bytes } = turn.historyLimit;
  if (history.length + 2 > messages || session.historyBytes + turn.question.length > bytes) {
    return { outcome: 'history_full', messageCount: history.length };
  }
  session.log = session.log.filter((entry) => entry.epoch === epoch);
  session.epoch = epoch + 1;
  session.running = { turnId: turn.turnId, attempt: turn.attempt, leaseUntilMs: nowMs + turn.leaseMs, seq: 0 };
  session.turns.set(turn.turnId, { record: turn.record });
  session.question = turn.question;
  return { outcome: 'begun', epoch: session.epoch, version, history: [...history] };
}

export function append(session: MemorySession, epoch: number, batch: EventBatch): Appended {
  const lost = lossOf(session, epoch);
  if (lost || !session.running) return lost ?? { outcome: 'fenced' };
  const { running } = session;
  if (running.seq !== batch.afterSeq) {
    return running.seq >= batch.lastSeq ? { outcome: 'appended' } : { outcome: 'gap', lastSeq: running.seq };
  }
  session.log.push({ epoch, batch });
  running.seq = batch.lastSeq;
  return { outcome: 'appended' };
}

export function finish(session: MemorySession, turn: FinishTurn, rules: LedgerRules): Finished {
  if (turn.epoch <= session.bornEpoch) return { outcome: 'gone' };
  const ended = session.turns.get(turn.turnId)?.end;
  if (typeof ended === 'number') return { outcome: 'finished', version: ended };
  if (session.epoch !== turn.epoch || session.running?.turnId !== turn.turnId) return { outcome: 'fenced' };
  const version = session.version + (turn.messages ? 1 : 0);
  if (version !== turn.version) return { outcome: 'version_moved', version };
  if (session.running.seq !== turn.batch.afterSeq) return { outcome: 'gap', lastSeq: session.running.seq };

  session.log.push({ epoch: turn.epoch, batch: turn.batch });
  if (turn.messages) commit(session, turn, turn.messages);
  else {
    const kept = session.latestTurnId;
    for (const turnId of session.fullRecords.keys()) if (turnId !== kept) session.fullRecords.delete(turnId);
  }
  if (turn.fullRecord) session.fullRecords.set(turn.turnId, turn.fullRecord);
  session.turns.set(turn.turnId, { record: turn.record, end: version });
  session.turnBytes += turn.record.length;
  trimLedger(session, rules);
  addUsage(session, turn.usage);
  session.running = undefined;
  return { outcome: 'finished', version };
}

function commit(session: MemorySession, turn: FinishTurn, messages: readonly [Uint8Array, Uint8Array]): void {
  session.history.push(...messages);
  session.historyBytes += messages[0].length + messages[1].length;
  session.version = turn.version;
  session.openCalls = turn.openCalls;
  session.latestTurnId = turn.turnId;
  session.question = undefined;
  session.fullRecords.clear();
}

function trimLedger(session: MemorySession, { ledgerTurnsMax, ledgerBytesMax }: LedgerRules): void {
  for (const [turnId, { record, end }] of session.turns) {
    const isWithin = session.turns.size <= ledgerTurnsMax && session.turnBytes <= ledgerBytesMax;
    if (isWithin || session.turns.size <= 1) return;
    session.turns.delete(turnId);
    if (end !== undefined) session.turnBytes -= record.length;
  }
}

function addUsage(session: MemorySession, usage: Usage | undefined): void {
  if (!usage) return;
  const { promptTokens, outputTokens, thoughtTokens, cachedTokens, totalTokens } = session.usage;
  session.usage = {
    promptTokens: promptTokens + usage.promptTokens,
    outputTokens: outputTokens + usage.outputTokens,
    thoughtTokens: thoughtTokens + (usage.thoughtTokens ?? 0),
    cachedTokens: cachedTokens + (usage.cachedTokens ?? 0),
    totalTokens: totalTokens + usage.totalTokens,
  };
}

export function renew(session: MemorySession, epoch: number, leaseMs: number, nowMs: number) {
  const lost = lossOf(session, epoch);
  if (lost || !session.running) return lost ?? ({ outcome: 'fenced' } as const);
  session.running.leaseUntilMs = nowMs + leaseMs;
  keepWhileRunning(session, nowMs);
  return { outcome: 'renewed' } as const;
}

export function reap(session: MemorySession, turn: ReapTurn, rules: LedgerRules, nowMs: number): boolean {
  const { running } = session;
  if (session.epoch !== turn.epoch || running?.turnId !== turn.turnId || running.leaseUntilMs > nowMs) return false;
  const batch = { afterSeq: running.seq, lastSeq: turn.frame.seq, frames: turn.frame.bytes };
  session.log.push({ epoch: turn.epoch, batch });
  session.turns.set(turn.turnId, { record: turn.record, end: 'reaped' });
  session.turnBytes += turn.record.length;
  trimLedger(session, rules);
  session.running = undefined;
  return true;
}

function lossOf(session: MemorySession, epoch: number): Lost | undefined {
  if (epoch <= session.bornEpoch) return { outcome: 'gone' };
  return session.epoch === epoch ? undefined : { outcome: 'fenced' };
}
