// Who waits for news of which session, in this process.

import type { SessionKey } from '../../chat/session.ts';
import type { News, Watch } from '../../chat/session-store.ts';

export class Doorbells {
  readonly #rings = new Map<string, Set<(news: News) => void>>();

  watch(key: SessionKey, ring: (news: News) => void): Watch {
    const address = addressOf(key);
    const rings = this.#rings.get(address) ?? new Set();
    this.#rings.set(address, rings);
    // Its own function, so that the same listener can watch twice.
    const own = (news: News) => ring(news);
    rings.add(own);
    return {
      close: () => {
        if (rings.delete(own) && rings.size === 0) this.#rings.delete(address);
      },
    };
  }

  /** Whether anybody waits. */
  hears(key: SessionKey): boolean {
    return this.#rings.has(addressOf(key));
  }

  /** Not at once: whoever rings is in the middle of a step. */
  ring(key: SessionKey, news: News = 'step'): void {
    const rings = this.#rings.get(addressOf(key));
    if (!rings) return;
    queueMicrotask(() => {
      for (const ring of [...rings]) ring(news);
    });
  }
}

function addressOf({ owner, sessionId }: SessionKey): string {
  return JSON.stringify([owner, sessionId]);
}
