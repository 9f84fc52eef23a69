// Changes of the history of a session in memory. Single-threaded, so each function is one atomic step.

import type { RewindSession } from '../../chat/history-store.ts';
import { turnInProgress, versionMismatch } from '../../chat/refusals.ts';
import type { MemorySession } from './memory-session.ts';

/** False when this very attempt has been made before. */
export function rewind(session: MemorySession, change: RewindSession): boolean {
  if (session.rewound === change.attempt) return false;
  if (session.running) throw turnInProgress(session.running.turnId);
  if (session.version !== change.ifVersion) throw versionMismatch(session.version);
  session.rewound = change.attempt;
  session.version += 1;
  session.history.length = change.length;
  session.historyBytes -= change.bytesRemoved;
  session.openCalls = '';
  session.latestTurnId = change.latestTurnId;
  session.question = undefined;
  session.fullRecords.clear();
  for (const turnId of change.supersededTurnIds) {
    const turn = session.turns.get(turnId);
    if (turn) turn.isSuperseded = true;
  }
  return true;
}
