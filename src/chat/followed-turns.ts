// All turns of other processes that are watched here: one log for each, shared by its viewers.

import { invalidField } from './errors.ts';
import { type FollowDependencies, FollowedLog } from './followed-log.ts';
import type { TurnView } from './frame-log.ts';
import type { SessionKey } from './session.ts';
import { SessionLog } from './session-log.ts';
import type { Turn } from './turn.ts';
import type { EventCursor } from './turn-event.ts';

export interface Following {
  readonly log: FollowedLog;
  /** Idempotent. The last viewer takes the log with it. */
  release(): void;
}

interface Closable {
  close(): void;
}

interface Shared {
  readonly log: FollowedLog;
  readonly opened: Promise<void>;
  viewers: number;
}

export class FollowedTurns {
  readonly #deps: FollowDependencies;
  readonly #logs = new Map<string, Shared>();
  readonly #sessions = new Set<SessionLog>();
  readonly #attended = new Set<Closable>();
  #isClosed = false;

  constructor(deps: FollowDependencies) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#logs.size;
  }

  /** Resolves when the log holds what the store held. Fails with `store_unavailable`, `session_not_found`. */
  async follow(key: SessionKey, turn: Turn, epoch: number): Promise<Following> {
    const address = JSON.stringify([key.owner, key.sessionId, epoch]);
    const known = this.#logs.get(address);
    // One that ended without its last event has nothing for those who come now.
    const isOfUse = known && (known.log.isComplete || !known.log.hasEnded);
    const shared = isOfUse ? known : this.#open(address, key, turn, epoch);
    shared.viewers += 1;
    const release = this.#releaseOnce(address, shared);
    try {
      await shared.opened;
    } catch (error) {
      release();
      throw error;
    }
    // What was there has been read; what comes is for a replica that stays.
    if (this.#isClosed) shared.log.close();
    return { log: shared.log, release };
  }

  /**
   * All turns of a session from the cursor on, for one viewer, as far as they are kept. Fails with `invalid_argument` for the
   * cursor of a turn that has not begun, `session_not_found`, `store_unavailable`.
   */
  async followSession(key: SessionKey, cursor?: EventCursor): Promise<TurnView> {
    const { store, clock, rules, reap } = this.#deps;
    // A session that is not there is told in either case.
    const now = await store.cursorNow(key);
    // It would be ahead of all that comes, and its viewer would never be told anything. Of the current epoch any place is
    // taken: who watched on the replica that produces has seen events which the store does not have yet.
    if (cursor && cursor.epoch > now.epoch) throw invalidField('lastEventId', 'is no id of an event of this session');
    const log = new SessionLog(key, cursor ?? now, { store, clock, followMs: rules.followMs, reap });
    this.#sessions.add(log);
    const release = () => {
      log.close();
      this.#sessions.delete(log);
    };
    await log.open().catch((error) => {
      release();
      throw error;
    });
    if (this.#isClosed) log.close();
    return { log, afterSeq: 0, release };
  }

  /** Viewers end at once, and go on elsewhere. Those who still come get what is there. */
  close(): void {
    this.#isClosed = true;
    for (const { log, opened } of this.#logs.values()) {
      const close = () => log.close();
      opened.then(close, close);
    }
    for (const log of this.#sessions) log.close();
    for (const view of this.#attended) view.close();
  }

  /** It is closed with all others, until the returned function is called. */
  attend(view: Closable): () => void {
    if (this.#isClosed) view.close();
    else this.#attended.add(view);
    return () => this.#attended.delete(view);
  }

  #open(address: string, key: SessionKey, turn: Turn, epoch: number): Shared {
    const log = new FollowedLog(key, turn, epoch, this.#deps);
    const shared = { log, opened: log.open(), viewers: 0 };
    this.#logs.set(address, shared);
    return shared;
  }

  #releaseOnce(address: string, shared: Shared): () => void {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      shared.viewers -= 1;
      if (shared.viewers > 0) return;
      shared.log.close();
      if (this.#logs.get(address) === shared) this.#logs.delete(address);
    };
  }
}
