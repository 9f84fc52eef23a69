// Sessions as this process knows them from their last turns, or since it made them: the next turn of one needs neither its configuration nor its
// history from the store, if the store says that nothing has happened since. Only a copy: whatever is forgotten is read again.

import type { Clock } from './clock.ts';
import type { KeptMessage } from './content.ts';
import type { SessionConfig, SessionKey } from './session.ts';

/** What a session was. No two states of sessions of one name have the same epoch and version, also when it was made again. */
export interface SeenState {
  readonly epoch: number;
  readonly version: number;
}

export interface KnownSession extends SeenState {
  readonly config: SessionConfig;
  readonly history: readonly KeptMessage[];
  /** Of its records. */
  readonly bytes: number;
}

export interface KnownSessionsRules {
  /** Of the records of all that is known; in memory they are some times as large. 0: nothing is known. */
  readonly bytesMax: number;
  /** Who is not asked for so long is forgotten. */
  readonly idleMs: number;
}

/** Of a session beside its records. */
const SESSION_BYTES = 1024;

interface Kept {
  readonly session: KnownSession;
  readonly usedMs: number;
}

export class KnownSessions {
  readonly #clock: Clock;
  readonly #rules: KnownSessionsRules;
  /** By address; who was used last is last. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  #stopTimer: (() => void) | undefined;

  constructor(clock: Clock, rules: KnownSessionsRules) {
    this.#clock = clock;
    this.#rules = rules;
  }

  find(key: SessionKey): KnownSession | undefined {
    return this.#kept.get(addressOf(key))?.session;
  }

  /** After it was made: if there is room. A session that nobody may ever use pushes out nobody. */
  keepNew(key: SessionKey, session: KnownSession): void {
    if (this.#bytes + sizeOf(session) <= this.#rules.bytesMax) this.keep(key, session);
  }

  /** After a turn. What is larger than a share of the room is not kept: it would push out everybody else. */
  keep(key: SessionKey, session: KnownSession): void {
    this.forget(key);
    const { bytesMax } = this.#rules;
    if (sizeOf(session) > bytesMax / 4) return;
    this.#kept.set(addressOf(key), { session, usedMs: this.#clock.now() });
    this.#bytes += sizeOf(session);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= bytesMax) break;
      this.#drop(oldest);
    }
    this.#scheduleLook();
  }

  forget(key: SessionKey): void {
    this.#drop(addressOf(key));
  }

  /** Everything, and no timer is left. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #drop(address: string): void {
    const kept = this.#kept.get(address);
    if (!kept) return;
    this.#kept.delete(address);
    this.#bytes -= sizeOf(kept.session);
  }

  #scheduleLook(): void {
    this.#stopTimer ??= this.#clock.after(this.#rules.idleMs, () => {
      this.#stopTimer = undefined;
      const since = this.#clock.now() - this.#rules.idleMs;
      for (const [address, { usedMs }] of this.#kept) {
        if (usedMs > since) break;
        this.#drop(address);
      }
      if (this.#kept.size > 0) this.#scheduleLook();
    });
  }
}

function sizeOf({ bytes }: KnownSession): number {
  return bytes + SESSION_BYTES;
}

function addressOf({ owner, sessionId }: SessionKey): string {
  return `${sessionId}/${owner}`;
}
