// Changes of a session in memory that are no turns. Single-threaded, so each function is one atomic step; each is false when
// this very attempt has been made before.

import type { KeptIdempotency } from '../../chat/claim.ts';
import { bytesIn } from '../../chat/encoded.ts';
import { type ChooseCandidate, IMPORTED, type ImportMessages, type RewindSession } from '../../chat/history-store.ts';
import {
  historyFull,
  idempotencyMismatch,
  notLatestTurn,
  turnInProgress,
  versionMismatch,
} from '../../chat/refusals.ts';
import type { UpdateSession } from '../../chat/session-store.ts';
import { recall } from './memory-ledger.ts';
import { checkSeal, type MemorySession, sizeOf } from './memory-session.ts';

interface Change {
  readonly ifVersion: number;
  readonly attempt: string;
}

/** How many attempts are known again. */
const CHANGES_MAX = 16;
/** How many keys of imports are kept; those of turns go with their turns. */
const IMPORT_KEYS_MAX = 1000;

export function update(session: MemorySession, change: UpdateSession): boolean {
  checkSeal(session, change);
  if (isMade(session, change)) return false;
  if (session.version !== change.ifVersion) throw versionMismatch(session.version);
  noteChange(session, change);
  session.config = change.config;
  session.ttlS = change.ttlS;
  return true;
}

export function rewind(session: MemorySession, change: RewindSession): boolean {
  if (isMade(session, change)) return false;
  checkIdle(session, change);
  noteChange(session, change);
  session.history.length = change.length;
  session.historyBytes -= change.bytesRemoved;
  session.openCalls = '';
  session.latestTurnId = change.latestTurnId;
  session.fullRecords.clear();
  for (const turnId of change.supersededTurnIds) {
    const turn = session.turns.get(turnId);
    if (turn) turn.isSuperseded = true;
  }
  return true;
}

export function choose(session: MemorySession, choice: ChooseCandidate): boolean {
  checkSeal(session, choice);
  if (isMade(session, choice)) return false;
  checkIdle(session, choice);
  const { turnId, message, record, fullRecord } = choice;
  const turn = session.turns.get(turnId);
  if (session.latestTurnId !== turnId || !turn) throw notLatestTurn();
  noteChange(session, choice);
  session.historyBytes += bytesIn(message) - bytesIn(session.history.pop() ?? '');
  session.history.push(message);
  session.openCalls = choice.openCalls;
  session.turnBytes += bytesIn(record) - bytesIn(turn.record);
  turn.record = record;
  session.fullRecords.set(turnId, fullRecord);
  return true;
}

export function importMessages(session: MemorySession, batch: ImportMessages, nowMs: number): boolean {
  const { messages, idempotency, historyLimit } = batch;
  checkSeal(session, batch);
  if (isMade(session, batch)) return false;
  const recalled = idempotency && recall(session, idempotency, nowMs);
  if (recalled?.outcome === 'idempotency_mismatch') throw idempotencyMismatch();
  if (recalled) return false;
  checkIdle(session, batch);
  const bytes = session.historyBytes + sizeOf(messages);
  const count = session.history.length + messages.length;
  if (count > historyLimit.messages || bytes > historyLimit.bytes) throw historyFull(session.history.length);
  noteChange(session, batch);
  session.history.push(...messages);
  session.historyBytes = bytes;
  session.openCalls = batch.openCalls;
  // No turn owns the last messages now.
  if (session.latestTurnId !== undefined) session.fullRecords.delete(session.latestTurnId);
  session.latestTurnId = undefined;
  if (idempotency) keepKey(session, idempotency, nowMs);
  return true;
}

function isMade({ changes }: MemorySession, { attempt }: Change): boolean {
  return changes.includes(attempt);
}

function checkIdle({ running, version }: MemorySession, { ifVersion }: Change): void {
  if (running) throw turnInProgress(running.turnId);
  if (version !== ifVersion) throw versionMismatch(version);
}

function noteChange(session: MemorySession, { attempt }: Change): void {
  session.version += 1;
  session.changes.unshift(attempt);
  session.changes.length = Math.min(session.changes.length, CHANGES_MAX);
}

function keepKey({ sends, imports }: MemorySession, { key, fingerprint, ttlMs }: KeptIdempotency, nowMs: number): void {
  sends.set(key, { fingerprint, expireTimeMs: nowMs + ttlMs, turnId: IMPORTED });
  const known = imports.indexOf(key);
  if (known >= 0) imports.splice(known, 1);
  imports.unshift(key);
  // A send may have used it since, after its time.
  for (const old of imports.splice(IMPORT_KEYS_MAX)) if (sends.get(old)?.turnId === IMPORTED) sends.delete(old);
}
