// Sessions in this process's memory, for trying the service out: the same promises, as far as one process can keep them.

import { createHash } from 'node:crypto';
import type { Idempotency, KeptIdempotency } from '../../chat/claim.ts';
import type { Clock } from '../../chat/clock.ts';
import type { Encoded } from '../../chat/encoded.ts';
import { ChatError } from '../../chat/errors.ts';
import type { ChooseCandidate, ImportMessages, MessageRange, RewindSession } from '../../chat/history-store.ts';
import { sessionExists, tooManySessions, versionMismatch } from '../../chat/refusals.ts';
import type { Seal } from '../../chat/seal.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type { CreateSession, News, SessionStore, UpdateSession, Watch } from '../../chat/session-store.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { activityOf } from './activity-list.ts';
import { choose, importMessages, rewind, update } from './memory-history.ts';
import type { LedgerRules } from './memory-ledger.ts';
import { type MemorySession, newSession, presentStored } from './memory-session.ts';
import { MemoryTurnStore } from './memory-turn-store.ts';

export interface MemoryRules extends LedgerRules {
  /** Sessions of all owners together; the process must not run out of memory. */
  readonly sessionsMax: number;
}

export class MemorySessionStore extends MemoryTurnStore implements SessionStore {
  readonly #rules: MemoryRules;

  constructor(clock: Clock, rules: MemoryRules) {
    super(clock, rules);
    this.#rules = rules;
  }

  async create(key: SessionKey, creation: CreateSession): Promise<StoredSession> {
    const { idempotency } = creation;
    // Also known again when the time of its idempotency key is over.
    const attempt = idempotency ? `${idempotency.key}.${idempotency.fingerprint}` : creation.attempt;
    const given = { ...creation, attempt };
    const made = this.shelf.madeBy(key.owner, idempotency);
    if (made) return presentStored(made.sessionId, made.session);
    const taken = this.shelf.find(key);
    if (taken?.made === attempt) return presentStored(key.sessionId, taken);
    if (taken) throw sessionExists();
    const { sessionsMax = Number.POSITIVE_INFINITY } = given;
    if (this.shelf.countOf(key.owner, sessionsMax) >= sessionsMax) throw tooManySessions(sessionsMax);
    if (this.shelf.count >= this.#rules.sessionsMax) this.shelf.dropExpired();
    if (this.shelf.count >= this.#rules.sessionsMax) {
      throw new ChatError('overloaded', 'The memory of this process holds no more sessions. Use Redis.');
    }
    const session = this.#newSession(given);
    this.shelf.add(key, session, idempotency);
    return presentStored(key.sessionId, session);
  }

  async claimCreation({ owner, sessionId }: SessionKey, idempotency: KeptIdempotency): Promise<string> {
    return this.shelf.madeBy(owner, idempotency)?.sessionId ?? sessionId;
  }

  async recallCreation(owner: string, idempotency: Idempotency): Promise<StoredSession | undefined> {
    const made = this.shelf.madeBy(owner, idempotency);
    return made && presentStored(made.sessionId, made.session);
  }

  async read(key: SessionKey): Promise<StoredSession> {
    return presentStored(key.sessionId, this.shelf.get(key));
  }

  async list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    const newerThan = pageToken === undefined ? Number.POSITIVE_INFINITY : activityOf(pageToken);
    const items: StoredSession[] = [];
    let last = newerThan;
    for (const { sessionId, activity } of this.shelf.before(owner, newerThan)) {
      const session = this.shelf.find({ owner, sessionId });
      if (!session) continue;
      if (items.length === pageSize) return { items, nextPageToken: String(last) };
      items.push(presentStored(sessionId, session));
      last = activity;
    }
    return { items };
  }

  async ownerUsage(owner: string, month: string): Promise<UsageSums> {
    return this.usage.read(owner, month);
  }

  async update(key: SessionKey, change: UpdateSession): Promise<StoredSession> {
    return this.#change(key, (session) => update(session, change));
  }

  async rewrap(key: SessionKey, seal: Seal): Promise<void> {
    const session = this.shelf.find(key);
    if (session?.seal?.id === seal.id) session.seal = seal;
  }

  async rewind(key: SessionKey, change: RewindSession): Promise<StoredSession> {
    return this.#change(key, (session) => rewind(session, change));
  }

  async choose(key: SessionKey, choice: ChooseCandidate): Promise<StoredSession> {
    return this.#change(key, (session) => choose(session, choice));
  }

  async importMessages(key: SessionKey, batch: ImportMessages): Promise<StoredSession> {
    return this.#change(key, (session) => importMessages(session, batch, this.clock.now()));
  }

  async delete(key: SessionKey, ifVersion?: number): Promise<void> {
    const { running, epoch, version } = this.shelf.get(key);
    if (ifVersion !== undefined && ifVersion !== version) throw versionMismatch(version);
    this.shelf.remove(key);
    this.doorbells.ring(key);
    if (running) queueMicrotask(() => this.tellCancel({ key, epoch, keep: 'none' }));
  }

  async readMessages(key: SessionKey, { start, count }: MessageRange): Promise<readonly Encoded[]> {
    return this.shelf.get(key).history.slice(start, start + count);
  }

  async watch(key: SessionKey, ring: (news: News) => void): Promise<Watch> {
    return this.doorbells.watch(key, ring);
  }

  addressOf({ owner, sessionId }: SessionKey): string {
    return `${createHash('sha256').update(owner, 'utf16le').digest('base64url')}:${sessionId}`;
  }

  async isReady(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.shelf.clear();
    this.usage.clear();
  }

  #change(key: SessionKey, change: (session: MemorySession) => boolean): StoredSession {
    const session = this.shelf.get(key);
    if (change(session)) this.shelf.touch(key, session);
    return presentStored(key.sessionId, session);
  }

  #newSession(given: CreateSession): MemorySession {
    const nowMs = this.clock.now();
    // Never an epoch twice, also not for a session of a name that was used before.
    const bornEpoch = Math.max(this.lastEpoch + 1, nowMs * 1000);
    this.lastEpoch = bornEpoch;
    return newSession(given, bornEpoch, nowMs);
  }
}
