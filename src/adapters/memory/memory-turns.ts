// The steps of a turn on a session in memory. Single-threaded, so each function is one atomic step.

import type { BeginTurn, Begun, Holder, LeaveLine } from '../../chat/claim.ts';
import { bytesIn, type Encoded } from '../../chat/encoded.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type { Appended, EventBatch, Finished, FinishTurn, Lost, ReapTurn, Renewed } from '../../chat/turn-store.ts';
import { addUsage } from '../../chat/usage-sums.ts';
import { endRecord, keepRecord, type LedgerRules, recall, trimLedger } from './memory-ledger.ts';
import {
  canBeAsked,
  keepNewest,
  keepWhileRunning,
  type MemorySession,
  type Running,
  sizeOf,
} from './memory-session.ts';

export function begin(session: MemorySession, turn: BeginTurn, nowMs: number): Begun {
  const { running, epoch, version } = session;
  const before = turn.again?.isReplaced ? session.history.slice(0, -2) : [...session.history];
  const history = turn.seen ? {} : { history: before };
  if (running?.attempt === turn.attempt) return { outcome: 'begun', epoch, version, ...history };
  const isWaiting = turn.onBusy === 'waiting';
  const recalled = turn.idempotency && !isWaiting && recall(session, turn.idempotency, nowMs);
  if (recalled) return recalled;
  if (turn.seen && (turn.seen.epoch !== epoch || turn.seen.version !== version)) return { outcome: 'stale' };
  const waits = session.line.some(({ turnId, attempt }) => turnId === turn.turnId && attempt === turn.attempt);
  if (isWaiting && !waits) return { outcome: 'left' };
  if (!waits && session.turns.has(turn.turnId)) return { outcome: 'turn_exists' };
  const holder = holderBefore(session, turn.turnId, nowMs);
  if (holder && turn.onBusy === 'reject') return { outcome: 'busy', ...holder };
  if (holder) return takePlace(session, turn, holder, nowMs);
  if (turn.ifVersion !== undefined && turn.ifVersion !== version) return { outcome: 'version_mismatch', version };
  const { totalTokens } = session.used.usage;
  if (turn.tokenBudget !== undefined && totalTokens >= turn.tokenBudget) {
    return { outcome: 'budget_exhausted', tokensSpent: totalTokens };
  }
  if (turn.again && !canBeAsked(session, turn.again)) return { outcome: 'not_latest_turn' };
  if (!turn.again?.isReplaced && session.openCalls !== turn.answeredCalls) {
    return { outcome: 'calls_mismatch', openCalls: session.openCalls };
  }
  const { messages, bytes } = turn.historyLimit;
  const bytesReplaced = sizeOf(session.history.slice(before.length));
  if (before.length + 2 > messages || session.historyBytes - bytesReplaced + bytesIn(turn.question) > bytes) {
    return { outcome: 'history_full', messageCount: session.history.length };
  }
  session.log = session.log.filter((entry) => entry.epoch === epoch);
  // Never below the time, which tells the month that it belongs to.
  session.epoch = Math.max(epoch + 1, nowMs * 1000);
  session.running = { turnId: turn.turnId, attempt: turn.attempt, leaseUntilMs: nowMs + turn.leaseMs, seq: 0 };
  keepRecord(session, turn, { epoch: session.epoch, record: turn.record }, nowMs);
  session.line = session.line.filter(({ turnId }) => turnId !== turn.turnId);
  session.questions.set(turn.turnId, turn.question);
  return { outcome: 'begun', epoch: session.epoch, version, ...history };
}

/** Who is in the way of this turn. */
function holderBefore({ running, epoch, line }: MemorySession, turnId: string, nowMs: number): Holder | undefined {
  if (running) {
    return { turnId: running.turnId, epoch, hasLease: running.leaseUntilMs > nowMs, isWaiting: false };
  }
  const [head] = line;
  if (!head || head.turnId === turnId) return undefined;
  return { turnId: head.turnId, epoch: 0, hasLease: head.leaseUntilMs > nowMs, isWaiting: true };
}

function takePlace(session: MemorySession, turn: BeginTurn, holder: Holder, nowMs: number): Begun {
  const { line } = session;
  const leaseUntilMs = nowMs + turn.leaseMs;
  const own = line.find(({ turnId }) => turnId === turn.turnId);
  if (own) own.leaseUntilMs = leaseUntilMs;
  else {
    if (line.length >= turn.line.places) return { outcome: 'queue_full' };
    const { turnId, attempt } = turn;
    const isFront = turn.onBusy === 'interrupt';
    const place = isFront ? line.findLastIndex((waiting) => waiting.isFront) + 1 : line.length;
    line.splice(place, 0, { turnId, attempt, isFront, leaseUntilMs });
    // It has no epoch of its own yet: between two.
    keepRecord(session, turn, { epoch: session.epoch + 0.5, record: turn.line.record }, nowMs);
  }
  return { outcome: 'waits', place: line.findIndex(({ turnId }) => turnId === turn.turnId) + 1, holder };
}

/** Take back a claim. */
export function letGo(session: MemorySession, { turnId, attempt }: Pick<BeginTurn, 'turnId' | 'attempt'>): void {
  const { running, line, turns, sends } = session;
  const hasBegun = running?.turnId === turnId && running.attempt === attempt;
  const own = line.find((waiting) => waiting.turnId === turnId && waiting.attempt === attempt);
  if (!hasBegun && !own) return;
  if (hasBegun) {
    session.running = undefined;
    session.questions.delete(turnId);
  }
  session.line = line.filter((waiting) => waiting !== own);
  const key = turns.get(turnId)?.idempotencyKey;
  if (key !== undefined) sends.delete(key);
  turns.delete(turnId);
}

/** End a turn that waits. */
export function leave(session: MemorySession, turn: LeaveLine, rules: LedgerRules, nowMs: number): boolean {
  const own = session.line.find(({ turnId }) => turnId === turn.turnId);
  if (!own || (turn.onlyIfDead && own.leaseUntilMs > nowMs)) return false;
  session.line = session.line.filter((waiting) => waiting !== own);
  endRecord(session, turn, session.version);
  session.turnBytes += bytesIn(turn.record);
  trimLedger(session, turn.turnId, rules);
  return true;
}

export function append(session: MemorySession, epoch: number, batch: EventBatch): Appended {
  const lost = lossOf(session, epoch);
  if (lost || !session.running) return lost ?? { outcome: 'fenced' };
  const { running } = session;
  if (running.seq !== batch.afterSeq) {
    return running.seq >= batch.lastSeq
      ? { outcome: 'appended', ...cancelOf(running) }
      : { outcome: 'gap', lastSeq: running.seq };
  }
  session.log.push({ epoch, batch });
  running.seq = batch.lastSeq;
  return { outcome: 'appended', ...cancelOf(running) };
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
  else keepNewest(session, turn.turnId);
  if (turn.fullRecord) session.fullRecords.set(turn.turnId, turn.fullRecord);
  endRecord(session, turn, version);
  session.turnBytes += bytesIn(turn.record);
  trimLedger(session, turn.turnId, rules);
  if (turn.usage) session.used = addUsage(session.used, turn.state, turn.usage);
  session.running = undefined;
  return { outcome: 'finished', version };
}

function commit(session: MemorySession, turn: FinishTurn, messages: readonly [Encoded, Encoded]): void {
  const { replacedTurnId } = turn;
  // Still the last two: nobody else changes the history of a session while a turn runs.
  const removed = replacedTurnId === undefined ? [] : session.history.splice(-2);
  const replaced = replacedTurnId === undefined ? undefined : session.turns.get(replacedTurnId);
  if (replaced) replaced.isSuperseded = true;
  session.history.push(...messages);
  session.historyBytes += sizeOf(messages) - sizeOf(removed);
  session.version = turn.version;
  session.openCalls = turn.openCalls;
  session.latestTurnId = turn.turnId;
  session.questions.clear();
  session.fullRecords.clear();
}

export function renew(session: MemorySession, epoch: number, leaseMs: number, nowMs: number): Renewed {
  const lost = lossOf(session, epoch);
  if (lost || !session.running) return lost ?? { outcome: 'fenced' };
  session.running.leaseUntilMs = nowMs + leaseMs;
  keepWhileRunning(session, nowMs);
  return { outcome: 'renewed', ...cancelOf(session.running) };
}

/** The request as its producer gets it; the first to ask decides what is kept. `undefined` when the turn does not run. */
export function requestCancel(session: MemorySession, turnId: string, keep: Keep): Keep | undefined {
  const { running } = session;
  if (running?.turnId !== turnId) return undefined;
  running.cancel ??= keep;
  return running.cancel;
}

function cancelOf({ cancel }: Running): { readonly cancel?: Keep } {
  return cancel ? { cancel } : {};
}

export function reap(session: MemorySession, turn: ReapTurn, rules: LedgerRules, nowMs: number): boolean {
  const { running } = session;
  if (session.epoch !== turn.epoch || running?.turnId !== turn.turnId || running.leaseUntilMs > nowMs) return false;
  const batch = { afterSeq: running.seq, lastSeq: turn.seq, frames: turn.frame };
  session.log.push({ epoch: turn.epoch, batch });
  endRecord(session, turn, 'reaped');
  keepNewest(session, turn.turnId);
  session.turnBytes += bytesIn(turn.record);
  trimLedger(session, turn.turnId, rules);
  session.running = undefined;
  return true;
}

function lossOf(session: MemorySession, epoch: number): Lost | undefined {
  if (epoch <= session.bornEpoch) return { outcome: 'gone' };
  return session.epoch === epoch ? undefined : { outcome: 'fenced' };
}
