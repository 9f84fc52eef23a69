// The records of turns in memory, and what idempotency keys stand for.

import type { BeginTurn, Idempotency, LeaveLine, Recalled } from '../../chat/claim.ts';
import { bytesIn, type Encoded } from '../../chat/encoded.ts';
import type { FinishTurn, ReapTurn } from '../../chat/turn-store.ts';
import type { MemorySession } from './memory-session.ts';

export interface LedgerRules {
  readonly ledgerTurnsMax: number;
  readonly ledgerBytesMax: number;
}

export function keepRecord(
  session: MemorySession,
  turn: BeginTurn,
  { epoch, record }: { readonly epoch: number; readonly record: Encoded },
  nowMs: number,
): void {
  const { turnId, idempotency } = turn;
  // Who waited keeps the place that it came to: to whoever pages through the ledger a turn that moves would be lost.
  const place = session.turns.get(turnId)?.place ?? session.turnPlace + 1;
  session.turnPlace = Math.max(session.turnPlace, place);
  session.turns.set(turnId, {
    place,
    epoch,
    record,
    ...(idempotency ? { idempotencyKey: idempotency.key } : {}),
  });
  if (!idempotency) return;
  const { key, fingerprint, ttlMs } = idempotency;
  session.sends.set(key, { fingerprint, expireTimeMs: nowMs + ttlMs, turnId });
}

export function endRecord(
  session: MemorySession,
  { turnId, record }: FinishTurn | ReapTurn | LeaveLine,
  end: number | 'reaped',
): void {
  const kept = session.turns.get(turnId);
  if (kept) session.turns.set(turnId, { ...kept, record, end });
}

/** The oldest turns go, but for those that have not ended, and the one that just has, however large it is. */
export function trimLedger(
  session: MemorySession,
  endedId: string,
  { ledgerTurnsMax, ledgerBytesMax }: LedgerRules,
): void {
  for (const [turnId, { record, end, idempotencyKey }] of session.turns) {
    if (session.turns.size <= ledgerTurnsMax && session.turnBytes <= ledgerBytesMax) return;
    if (turnId === endedId || end === undefined) continue;
    session.turns.delete(turnId);
    // Its id is free: what is kept of it must not be taken for another turn's.
    session.fullRecords.delete(turnId);
    session.questions.delete(turnId);
    if (session.latestTurnId === turnId) session.latestTurnId = undefined;
    if (idempotencyKey !== undefined) session.sends.delete(idempotencyKey);
    session.turnBytes -= bytesIn(record);
  }
}

/** What an idempotency key stands for. */
export function recall(session: MemorySession, idempotency: Idempotency, nowMs: number): Recalled | undefined {
  const kept = session.sends.get(idempotency.key);
  if (!kept || kept.expireTimeMs <= nowMs) return undefined;
  if (kept.fingerprint !== idempotency.fingerprint) return { outcome: 'idempotency_mismatch' };
  return { outcome: 'repeated', turnId: kept.turnId };
}
