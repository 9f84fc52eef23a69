// A second session that begins where another one was: its configuration, and its history up to a message.

import { type ChatDependencies, IDEMPOTENCY_TTL_MS, sessionsMaxOf } from './chat-dependencies.ts';
import type { Idempotency } from './claim.ts';
import { type KeptMessage, openCalls } from './content.ts';
import type { Encoded } from './encoded.ts';
import { invalidField } from './errors.ts';
import { decodeConfig, decodeMessage, encodeLimitedConfig, encodeMessage } from './records.ts';
import { sessionTooFast } from './refusals.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
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
/** So many messages at a time. */
const MESSAGES_READ = 200;

/**
 * The new session: of the same owner, independent from then on. Messages keep their ids; turns stay with the session that
 * made them. Nothing of the original changes, and a turn that runs there is not seen. With an idempotency key: the session
 * that the same call has made before, as it is now. Fails with `invalid_argument`, `session_exists`, `idempotency_mismatch`,
 * `session_not_found`, `overloaded`, `rate_limited`.
 */
export async function forkSession(key: SessionKey, fork: Fork, deps: ChatDependencies): Promise<StoredSession> {
  const { store, newId, chatLimits } = deps;
  const { atMessageId, id, displayName } = fork;
  const idempotency = fork.idempotency && { ...fork.idempotency, ttlMs: IDEMPOTENCY_TTL_MS };
  // Before the original is read, which may have changed since.
  const made = idempotency && (await store.recallCreation(key.owner, idempotency));
  if (made) return made;
  const { stored, copies, last } = await copyWhole(key, atMessageId, deps);
  if (last && last.author !== 'bot') throw invalidField('/atMessageId', 'must name a bot message');
  const config = { ...decodeConfig(stored.config), ...(displayName === undefined ? {} : { displayName }) };
  return store.create(
    { owner: key.owner, sessionId: id ?? newId() },
    {
      config: encodeLimitedConfig(config, chatLimits.configBytesMax),
      ttlS: stored.ttlS,
      messages: copies,
      openCalls: openCalls(last),
      attempt: newId(),
      ...sessionsMaxOf(chatLimits),
      ...(idempotency ? { idempotency } : {}),
    },
  );
}

interface Copy {
  readonly copies: readonly Encoded[];
  readonly last: KeptMessage | undefined;
}

/** Of one version: what is read while the history is changed may be of two. */
async function copyWhole(
  key: SessionKey,
  atMessageId: string | undefined,
  { store }: ChatDependencies,
): Promise<Copy & { readonly stored: StoredSession }> {
  let stored = await store.read(key);
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const copy = await copyMessages(key, stored.messageCount, atMessageId, store);
    const now = await store.read(key);
    if (now.version === stored.version) {
      if (!copy) throw invalidField('/atMessageId', 'names no message of the history');
      return { stored, ...copy };
    }
    stored = now;
  }
  throw sessionTooFast();
}

/** Page by page: a history of many megabytes must not hold up everybody else. `undefined` when the message is not there. */
async function copyMessages(
  key: SessionKey,
  messageCount: number,
  atMessageId: string | undefined,
  store: SessionStore,
): Promise<Copy | undefined> {
  const copies: Encoded[] = [];
  let last: KeptMessage | undefined;
  for (let start = 0; start < messageCount; start += MESSAGES_READ) {
    for (const record of await store.readMessages(key, {
      start,
      count: Math.min(MESSAGES_READ, messageCount - start),
    })) {
      last = decodeMessage(record);
      const { turnId: _turnId, ...message } = last;
      copies.push(encodeMessage(message));
      if (last.id === atMessageId) return { copies, last };
    }
  }
  return atMessageId === undefined ? { copies, last } : undefined;
}
