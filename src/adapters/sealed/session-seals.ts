// The seals of sessions, and all that is read and written through them. Keys that were unwrapped are kept for a while, so that a
// step of a turn costs no further command.

import { randomBytes } from 'node:crypto';
import { ChatError } from '../../chat/errors.ts';
import { sessionTooFast } from '../../chat/refusals.ts';
import { type Seal, SealMismatch } from '../../chat/seal.ts';
import type { SessionKey } from '../../chat/session.ts';
import type { SessionStore } from '../../chat/session-store.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import { DataKey, KEY_BYTES, newSealId } from './data-key.ts';
import type { KeyRing } from './key-ring.ts';
import { CONFIG } from './places.ts';
import { PLAIN, type Sealer, Unreadable } from './sealer.ts';
import { unwrapKey, wrapAnew, wrapKey, wrappingKeyId } from './wrapped-key.ts';

/** Contents that cannot be read: for the operator, who has to know. No contents. */
export interface Alarm {
  readonly sessionId: string;
  readonly record: string;
  readonly reason: string;
}

interface Kept {
  readonly seal: Seal;
  readonly dataKey: DataKey;
}

/** Of as many sessions, those that were used last: less than a kilobyte each. */
const KEPT_MAX = 10_000;
/** A session that is deleted and made again in the middle of a step is met again so often. */
const TRIES_MAX = 4;

export class SessionSeals {
  readonly #store: SessionStore;
  readonly #ring: KeyRing | undefined;
  readonly #alarm: (alarm: Alarm) => void;
  /** By address; who was used last is last. */
  readonly #kept = new Map<string, Kept>();

  constructor(store: SessionStore, ring: KeyRing | undefined, alarm: (alarm: Alarm) => void) {
    this.#store = store;
    this.#ring = ring;
    this.#alarm = alarm;
  }

  /** Of a session that is about to be made. */
  make(key: SessionKey): { readonly sealer: Sealer; readonly seal?: Seal } {
    if (!this.#ring) return { sealer: PLAIN };
    const address = this.#store.addressOf(key);
    const bytes = randomBytes(KEY_BYTES);
    const seal = wrapKey(this.#ring, address, newSealId(), bytes);
    const sealer = new DataKey(bytes, seal.id, address);
    bytes.fill(0);
    return { sealer, seal };
  }

  /** The session with its configuration opened. Fails with `internal`. */
  opened(owner: string, { seal, ...stored }: StoredSession): StoredSession {
    const key = { owner, sessionId: stored.sessionId };
    try {
      const sealer = this.#sealerOf(key, seal);
      return { ...stored, config: sealer.open(CONFIG, stored.config) };
    } catch (error) {
      throw this.#alarmed(key, error);
    }
  }

  /** What `read` finds, as `open` opens it: all of it or nothing. Fails with `internal`. */
  async read<Found>(
    key: SessionKey,
    read: () => Promise<Found>,
    open: (sealer: Sealer, found: Found) => Found,
  ): Promise<Found> {
    for (let tries = 1; ; tries += 1) {
      const found = await read();
      if (found === undefined || (Array.isArray(found) && found.length === 0)) return found;
      try {
        return open(await this.#sealer(key), found);
      } catch (error) {
        const isOfOther = error instanceof Unreadable && error.isOfOtherSeal;
        if (!isOfOther || tries === TRIES_MAX) throw this.#alarmed(key, error);
        this.forget(key);
      }
    }
  }

  /** A step that brings contents. Fails with `internal`, with `overloaded`, and as the step does. */
  async write<Written>(key: SessionKey, step: (sealer: Sealer) => Promise<Written>): Promise<Written> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await step(await this.#sealer(key));
      } catch (error) {
        if (!(error instanceof SealMismatch)) throw this.#alarmed(key, error);
        if (!this.#ring) throw this.#alarmed(key, new Unreadable(['session'], 'is sealed, and no keys are set'));
        if (tries === TRIES_MAX) throw sessionTooFast();
        this.forget(key);
      }
    }
  }

  /** Same for one that may wrap the key of the session anew: not beside the steps of a running turn. */
  async change<Written>(key: SessionKey, step: (sealer: Sealer) => Promise<Written>): Promise<Written> {
    return this.write(key, async (sealer) => {
      await this.#wrapAnew(key);
      return step(sealer);
    });
  }

  forget(key: SessionKey): void {
    this.#kept.delete(this.#store.addressOf(key));
  }

  async #sealer(key: SessionKey): Promise<Sealer> {
    if (!this.#ring) return PLAIN;
    const address = this.#store.addressOf(key);
    const kept = this.#kept.get(address);
    if (kept) return this.#keep(address, kept);
    return this.#sealerOf(key, (await this.#store.read(key)).seal);
  }

  /** Fails with `Unreadable`. */
  #sealerOf(key: SessionKey, seal: Seal | undefined): Sealer {
    if (!this.#ring) return PLAIN;
    if (!seal) throw new Unreadable(['session'], 'is not sealed');
    const address = this.#store.addressOf(key);
    const kept = this.#kept.get(address);
    if (kept && isSame(kept.seal, seal)) return this.#keep(address, kept);
    const bytes = unwrapKey(this.#ring, address, seal);
    const dataKey = new DataKey(bytes, seal.id, address);
    bytes.fill(0);
    return this.#keep(address, { seal, dataKey });
  }

  #keep(address: string, kept: Kept): DataKey {
    this.#kept.delete(address);
    this.#kept.set(address, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return kept.dataKey;
  }

  async #wrapAnew(key: SessionKey): Promise<void> {
    const address = this.#store.addressOf(key);
    const kept = this.#kept.get(address);
    if (!this.#ring || !kept || wrappingKeyId(kept.seal.wrappedKey) === this.#ring.current.id) return;
    const seal = wrapAnew(this.#ring, address, kept.seal);
    await this.#store.rewrap(key, seal);
    this.#keep(address, { ...kept, seal });
  }

  /** What is unreadable becomes an error that tells a client nothing, once; all other errors stay what they are. */
  #alarmed({ sessionId }: SessionKey, error: unknown): unknown {
    if (!(error instanceof Unreadable)) return error;
    const { record, reason } = error;
    this.#alarm({ sessionId, record, reason });
    return new ChatError('internal', 'The service failed unexpectedly.', { diagnosis: 'unreadable contents' });
  }
}

function isSame(one: Seal, other: Seal): boolean {
  return one.id === other.id && Buffer.compare(one.wrappedKey, other.wrappedKey) === 0;
}
