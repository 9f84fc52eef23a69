// A history that goes on without the model: messages of another system, or of a person who has taken over.

import { broughtMessages, checkBrought } from './brought-messages.ts';
import { changeSession, whenIdle } from './change-session.ts';
import { type ChatDependencies, IDEMPOTENCY_TTL_MS } from './chat-dependencies.ts';
import type { Idempotency } from './claim.ts';
import { type Content, openCalls } from './content.ts';
import { IMPORTED } from './history-store.ts';
import { decodeConfig, decodeMessage, encodeMessage } from './records.ts';
import { idempotencyMismatch } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';

export interface Import {
  readonly contents: readonly Content[];
  readonly ifVersion: number | undefined;
  readonly idempotency?: Idempotency | undefined;
}

/**
 * All of them, or none: one atomic change. With an idempotency key that has imported the same before, the session as it is
 * now. `read` ends a dead turn first. Fails with `invalid_argument` that names the first message after which the history
 * could not go on, `history_full`, `turn_in_progress`, `version_mismatch`, `idempotency_mismatch`, `session_not_found`,
 * `overloaded`.
 */
export async function importMessages(
  key: SessionKey,
  { contents, ifVersion, idempotency }: Import,
  read: () => Promise<StoredSession>,
  deps: ChatDependencies,
): Promise<StoredSession> {
  const { store, chatLimits } = deps;
  const write = async (stored: StoredSession, attempt: string) => {
    const after = (await store.readMessages(key, { start: Math.max(0, stored.messageCount - 1), count: 1 })).map(
      decodeMessage,
    )[0];
    checkBrought({ contents, path: '/messages', after }, deps);
    const messages = broughtMessages(contents, decodeConfig(stored.config).model, deps);
    return store.importMessages(key, {
      messages: messages.map(encodeMessage),
      position: stored.messageCount,
      openCalls: openCalls(messages.at(-1)),
      historyLimit: { messages: chatLimits.historyMessagesMax, bytes: chatLimits.historyBytesMax },
      ...(idempotency ? { idempotency: { ...idempotency, ttlMs: IDEMPOTENCY_TTL_MS } } : {}),
      ifVersion: stored.version,
      attempt,
    });
  };
  try {
    return await changeSession({ read: () => whenIdle(read), ifVersion, write }, deps);
  } catch (error) {
    // What was imported before, by the same key, is in its own way: by its version, and by the calls that it has answered.
    if (await isMade(key, idempotency, store)) return read();
    throw error;
  }
}

/** Fails with `idempotency_mismatch`. */
async function isMade(
  key: SessionKey,
  idempotency: Idempotency | undefined,
  store: ChatDependencies['store'],
): Promise<boolean> {
  const recalled = idempotency && (await store.recall(key, idempotency));
  if (recalled?.outcome === 'idempotency_mismatch') throw idempotencyMismatch();
  return recalled?.turnId === IMPORTED;
}
