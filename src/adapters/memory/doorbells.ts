// Who waits for news of which session, in this process.

import type { SessionKey } from '../../chat/session.ts';
import type { Watch } from '../../chat/session-store.ts';

export class Doorbells {
  readonly #rings = new Map<string, Set<() => void>>();

  watch(key: SessionKey, ring: () => void): Watch {
    const address = addressOf(key);
    const rings = this.#rings.get(address) ?? new Set();
    this.#rings.set(address, rings);
    // Its own function, so that the same listener can watch twice.
    const own = () => ring();
    rings.add(own);
    return {
      close: () => {
        if (rings.delete(own) && rings.size === 0) this.#rings.delete(address);
      },
    };
  }

  /** Not at once: whoever rings is in the middle of a step. */
  ring(key: SessionKey): void {
    const rings = this.#rings.get(addressOf(key));
    if (!rings) return;
    queueMicrotask(() => {
      for (const ring of [...rings]) ring();
    });
  }
}

function addressOf({ owner, sessionId }: SessionKey): string {
  return JSON.stringify([owner, sessionId]);
}
