// A second session that begins where another one was: its configuration, and its history up to a message.

import { type ChatDependencies, IDEMPOTENCY_TTL_MS } from './begin-turn.ts';
import type { Idempotency } from './claim.ts';
import { type KeptMessage, openCalls } from './content.ts';
import { ChatError, invalidField } from './errors.ts';
import { decodeConfig, decodeMessage, encodeLimitedConfig, encodeMessage } from './records.ts';
import type { SessionKey } from './session.ts';
import type { StoredSession } from './stored-session.ts';

export interface Fork {
  /** The bot message that is to be the last one; the whole history when left out. */
  readonly atMessageId?: string | undefined;
  readonly id?: string | undefined;
  readonly displayName?: string | undefined;
  readonly idempotency?: Idempotency | undefined;
}

/** How often a history is read again that changes meanwhile. */
const READS_MAX = 8;

/**
 * The new session: of the same owner, independent from then on. Messages keep their ids; turns stay with the session that
 * made them. Nothing of the original changes, and a turn that runs there is not seen. With an idempotency key: the session
 * that the same call has made before, as it is now. Fails with `invalid_argument`, `session_exists`, `idempotency_mismatch`,
 * `session_not_found`.
 */
export async function forkSession(key: SessionKey, fork: Fork, deps: ChatDependencies): Promise<StoredSession> {
  const { store, newId, chatLimits } = deps;
  const { atMessageId, id, displayName } = fork;
  const idempotency = fork.idempotency && { ...fork.idempotency, ttlMs: IDEMPOTENCY_TTL_MS };
  // Before the original is read, which may have changed since.
  const made = idempotency && (await store.recallCreation(key.owner, idempotency));
  if (made) return made;
  const { stored, messages } = await readWhole(key, deps);
  const kept = messages.slice(0, lengthTo(atMessageId, messages));
  const config = { ...decodeConfig(stored.config), ...(displayName === undefined ? {} : { displayName }) };
  return store.create(
    { owner: key.owner, sessionId: id ?? newId() },
    {
      config: encodeLimitedConfig(config, chatLimits.configBytesMax),
      ttlS: stored.ttlS,
      messages: kept.map(({ turnId: _turnId, ...message }) => encodeMessage(message)),
      openCalls: openCalls(kept.at(-1)),
      attempt: newId(),
      ...(idempotency ? { idempotency } : {}),
    },
  );
}

/** Of one version: what is read while the history is changed may be of two. */
async function readWhole(
  key: SessionKey,
  { store }: ChatDependencies,
): Promise<{ readonly stored: StoredSession; readonly messages: readonly KeptMessage[] }> {
  let stored = await store.read(key);
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const messages = await store.readMessages(key, { start: 0, count: stored.messageCount });
    const now = await store.read(key);
    if (now.version === stored.version) return { stored, messages: messages.map(decodeMessage) };
    stored = now;
  }
  throw new ChatError('overloaded', 'The session changes faster than it can be read.', { retryAfterS: 1 });
}

function lengthTo(atMessageId: string | undefined, messages: readonly KeptMessage[]): number {
  if (atMessageId === undefined) return messages.length;
  const at = messages.findIndex(({ id }) => id === atMessageId);
  if (at < 0) throw invalidField('/atMessageId', 'names no message of the history');
  if (messages[at]?.author !== 'bot') throw invalidField('/atMessageId', 'must name a bot message');
  return at + 1;
}
