// All turns of other processes that are watched here: one log for each, shared by its viewers.

import { type FollowDependencies, FollowedLog } from './followed-log.ts';
import type { SessionKey } from './session.ts';
import type { Turn } from './turn.ts';

export interface Following {
  readonly log: FollowedLog;
  /** Idempotent. The last viewer takes the log with it. */
  release(): void;
}

interface Shared {
  readonly log: FollowedLog;
  readonly opened: Promise<void>;
  viewers: number;
}

export class FollowedTurns {
  readonly #deps: FollowDependencies;
  readonly #logs = new Map<string, Shared>();
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

  /** Viewers end at once, and go on elsewhere. Those who still come get what is there. */
  close(): void {
    this.#isClosed = true;
    for (const { log, opened } of this.#logs.values()) {
      const close = () => log.close();
      opened.then(close, close);
    }
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
