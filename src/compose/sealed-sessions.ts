// Sealed sessions: the store of the service with contents encrypted, and the walk over all that a Redis holds.

import type { FastifyBaseLogger } from 'fastify';
import { RedisSeals } from '../adapters/redis/redis-seals.ts';
import { KeyRing } from '../adapters/sealed/key-ring.ts';
import { SealedSessionStore } from '../adapters/sealed/sealed-session-store.ts';
import { Unreadable } from '../adapters/sealed/sealer.ts';
import { unwrapKey, wrapAnew, wrappingKeyId } from '../adapters/sealed/wrapped-key.ts';
import type { Seal } from '../chat/seal.ts';
import type { SessionStore } from '../chat/session-store.ts';
import { Refusals } from '../command-failure.ts';
import { followHistoryKeys } from '../config/followed-keys.ts';
import type { Config, SealedRedis } from '../config.ts';

export interface SealedStore {
  readonly store: SessionStore;
  /** The store itself is the caller's to close. */
  close(): void;
}

/** Without keys contents are kept as they are, and what is sealed is refused. */
export function openSealed(kept: SessionStore, { historyKeys }: Config, logger: FastifyBaseLogger): SealedStore {
  const ring = historyKeys && new KeyRing(historyKeys);
  const store = new SealedSessionStore(kept, ring, (alarm) => {
    logger.error(alarm, 'HISTORY_KEYS_FILE: contents of a session cannot be read');
  });
  if (!historyKeys || !ring) return { store, close: () => undefined };
  const { isOpenToAll, current } = historyKeys;
  if (isOpenToAll) logger.warn('HISTORY_KEYS_FILE: everybody on this machine can read the file');
  const close = followHistoryKeys(historyKeys, {
    onKeys(keys) {
      ring.replace(keys);
      logger.info({ current: keys.current, keys: [...keys.keys.keys()] }, 'HISTORY_KEYS_FILE: has been read again');
    },
    onRefused(reason) {
      logger.warn({ reason, current }, 'HISTORY_KEYS_FILE: goes on with the keys that it had before');
    },
  });
  return { store, close };
}

/** The sessions of a Redis. */
export interface SealedSessions {
  /** By the key that wraps their own, as it is in the end; keys of the file that wrap none are there with 0. */
  readonly byKey: ReadonlyMap<string, number>;
  readonly rewrapped: number;
  readonly plain: number;
  /** Each with the reason. */
  readonly unreadable: readonly string[];
}

/** Counts them, and wraps them with the current key when they are to be. Fails with `store_unavailable`. */
export async function walkSealed({ redis, historyKeys }: SealedRedis, isToRewrap: boolean): Promise<SealedSessions> {
  const ring = new KeyRing(historyKeys);
  const refusals = new Refusals();
  const seals = new RedisSeals(redis, refusals.note);
  const byKey = new Map([...historyKeys.keys.keys()].map((id) => [id, 0]));
  const unreadable: string[] = [];
  let [plain, rewrapped] = [0, 0];
  try {
    await refusals.explain(seals.reached());
    for await (const { address, seal } of seals.all()) {
      if (!seal) {
        plain += 1;
        continue;
      }
      try {
        const isAnew = isToRewrap && (await rewrap(address, seal, seals, ring));
        if (isAnew) rewrapped += 1;
        const id = isAnew ? ring.current.id : readableWith(address, seal, ring);
        byKey.set(id, (byKey.get(id) ?? 0) + 1);
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        unreadable.push(`{${address}}: its key ${error.reason}`);
      }
    }
  } finally {
    seals.close();
  }
  return { byKey, rewrapped, plain, unreadable };
}

/** Whether it was wrapped with another key, and is there. Fails with `Unreadable`. */
async function rewrap(address: string, seal: Seal, seals: RedisSeals, ring: KeyRing): Promise<boolean> {
  if (wrappingKeyId(seal.wrappedKey) === ring.current.id) return false;
  return seals.rewrap(address, wrapAnew(ring, address, seal));
}

/** The key that it is wrapped with. Fails with `Unreadable`. */
function readableWith(address: string, seal: Seal, ring: KeyRing): string {
  unwrapKey(ring, address, seal).fill(0);
  return wrappingKeyId(seal.wrappedKey) ?? '';
}
