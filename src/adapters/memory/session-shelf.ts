// All sessions in memory: found by owner and id, listed by activity, gone when their time is over.

import type { Clock } from '../../chat/clock.ts';
import type { SessionKey } from '../../chat/session.ts';
import { ActivityList } from './activity-list.ts';
import { type MemorySession, touch } from './memory-session.ts';

interface Owned {
  readonly sessions: Map<string, MemorySession>;
  readonly activity: ActivityList;
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

  /** One owner's, newest activity first, older than what the number stands for. */
  before(owner: string, activity: number): Iterable<{ readonly sessionId: string; readonly activity: number }> {
    return this.#owners.get(owner)?.activity.before(activity) ?? [];
  }

  touch(key: SessionKey, session: MemorySession): void {
    touch(session, this.#clock.now());
    this.#activity += 1;
    this.#owners.get(key.owner)?.activity.note(key.sessionId, this.#activity);
  }

  add({ owner, sessionId }: SessionKey, session: MemorySession): void {
    const owned = this.#owners.get(owner) ?? { sessions: new Map(), activity: new ActivityList() };
    this.#owners.set(owner, owned);
    owned.sessions.set(sessionId, session);
    this.#activity += 1;
    owned.activity.note(sessionId, this.#activity);
    this.#count += 1;
  }

  remove({ owner, sessionId }: SessionKey): void {
    const owned = this.#owners.get(owner);
    if (!owned?.sessions.delete(sessionId)) return;
    owned.activity.forget(sessionId);
    this.#count -= 1;
    if (owned.sessions.size === 0) this.#owners.delete(owner);
  }

  dropExpired(): void {
    for (const [owner, { sessions }] of this.#owners) {
      for (const sessionId of sessions.keys()) this.find({ owner, sessionId });
    }
  }

  clear(): void {
    this.#owners.clear();
    this.#count = 0;
  }
}
