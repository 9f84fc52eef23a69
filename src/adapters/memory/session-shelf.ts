// All sessions in memory: found by owner and id, listed by activity, gone when their time is over.

import type { Idempotency, KeptIdempotency } from '../../chat/claim.ts';
import type { Clock } from '../../chat/clock.ts';
import { idempotencyMismatch, sessionNotFound } from '../../chat/refusals.ts';
import type { SessionKey } from '../../chat/session.ts';
import { ActivityList } from './activity-list.ts';
import { type MemorySession, touch } from './memory-session.ts';

interface Owned {
  readonly sessions: Map<string, MemorySession>;
  readonly activity: ActivityList;
  /** By idempotency key. They go with the session that they have made. */
  readonly creations: Map<string, Creation>;
}

interface Creation {
  readonly fingerprint: string;
  readonly expireTimeMs: number;
  readonly sessionId: string;
}

export class SessionShelf {
  readonly #clock: Clock;
  readonly #owners = new Map<string, Owned>();
  #count = 0;
  #activity = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  find({ owner, sessionId }: SessionKey): MemorySession | undefined {
    const session = this.#owners.get(owner)?.sessions.get(sessionId);
    if (session && session.expireTimeMs <= this.#clock.now()) {
      this.remove({ owner, sessionId });
      return undefined;
    }
    return session;
  }

  /** Fails with `session_not_found`. */
  get(key: SessionKey): MemorySession {
    const session = this.find(key);
    if (!session) throw sessionNotFound();
    return session;
  }

  /** One owner's, newest activity first, older than what the number stands for. */
  before(owner: string, activity: number): Iterable<{ readonly sessionId: string; readonly activity: number }> {
    return this.#owners.get(owner)?.activity.before(activity) ?? [];
  }

  touch(key: SessionKey, session: MemorySession): void {
    touch(session, this.#clock.now());
    this.#activity += 1;
    this.#owners.get(key.owner)?.activity.note(key.sessionId, this.#activity);
  }

  /** The session that an idempotency key stands for. Fails with `idempotency_mismatch`. */
  madeBy(owner: string, idempotency: Idempotency | undefined) {
    const creation = idempotency && this.#owners.get(owner)?.creations.get(idempotency.key);
    if (!creation || creation.expireTimeMs <= this.#clock.now()) return undefined;
    const { sessionId, fingerprint } = creation;
    const session = this.find({ owner, sessionId });
    if (session && fingerprint !== idempotency.fingerprint) throw idempotencyMismatch();
    return session && { sessionId, session };
  }

  add({ owner, sessionId }: SessionKey, session: MemorySession, idempotency?: KeptIdempotency): void {
    const owned = this.#owners.get(owner) ?? {
      sessions: new Map(),
      activity: new ActivityList(),
      creations: new Map(),
    };
    this.#owners.set(owner, owned);
    owned.sessions.set(sessionId, session);
    if (idempotency) {
      const { key, fingerprint, ttlMs } = idempotency;
      owned.creations.set(key, { fingerprint, expireTimeMs: this.#clock.now() + ttlMs, sessionId });
      session.creation = key;
    }
    this.#activity += 1;
    owned.activity.note(sessionId, this.#activity);
    this.#count += 1;
  }

  remove({ owner, sessionId }: SessionKey): void {
    const owned = this.#owners.get(owner);
    const session = owned?.sessions.get(sessionId);
    if (!owned || !session) return;
    owned.sessions.delete(sessionId);
    if (session.creation !== undefined) owned.creations.delete(session.creation);
    owned.activity.forget(sessionId);
    this.#count -= 1;
    if (owned.sessions.size === 0) this.#owners.delete(owner);
  }

  /** How many sessions the owner has; those that have expired are only looked for where there are as many as `enough`. */
  countOf(owner: string, enough: number): number {
    const { sessions } = this.#owners.get(owner) ?? {};
    if (sessions && sessions.size >= enough) this.#dropExpiredOf(owner, sessions);
    return sessions?.size ?? 0;
  }

  dropExpired(): void {
    for (const [owner, { sessions }] of this.#owners) this.#dropExpiredOf(owner, sessions);
  }

  #dropExpiredOf(owner: string, sessions: Owned['sessions']): void {
    for (const sessionId of sessions.keys()) this.find({ owner, sessionId });
  }

  clear(): void {
    this.#owners.clear();
    this.#count = 0;
  }
}
