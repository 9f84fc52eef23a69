// The keys that wrap the keys of sessions: one wraps new ones, all of them unwrap.

import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { encodePlace } from './box.ts';
import { KEY_BYTES } from './data-key.ts';

/** Keys by their ids, 32 bytes each. */
export interface WrappingKeys {
  readonly current: string;
  readonly keys: ReadonlyMap<string, Uint8Array>;
}

export interface WrappingKey {
  readonly id: string;
  readonly key: KeyObject;
}

export class KeyRing {
  #current: WrappingKey;
  #keys: ReadonlyMap<string, WrappingKey>;

  /** `given.keys` holds `given.current`. */
  constructor(given: WrappingKeys) {
    this.#keys = keysOf(given);
    this.#current = currentOf(given, this.#keys);
  }

  get current(): WrappingKey {
    return this.#current;
  }

  find(id: string): WrappingKey | undefined {
    return this.#keys.get(id);
  }

  replace(given: WrappingKeys): void {
    this.#keys = keysOf(given);
    this.#current = currentOf(given, this.#keys);
  }

  /**
   * What the digest of a request may be kept as that makes a session, which has no key of its own yet: as it is kept from now
   * on, then as it may have been kept before the keys were changed.
   */
  creationFingerprints(owner: string, digest: string): readonly string[] {
    const older = [...this.#keys.values()].filter(({ id }) => id !== this.#current.id);
    return [this.#current, ...older].map(({ key }) => {
      const own = Buffer.from(hkdfSync('sha256', key, '', encodePlace(['creation']), KEY_BYTES));
      return createHmac('sha256', own)
        .update(encodePlace([Buffer.from(owner, 'utf16le').toString('base64'), digest]))
        .digest('base64url');
    });
  }
}

function keysOf({ keys }: WrappingKeys): ReadonlyMap<string, WrappingKey> {
  return new Map([...keys].map(([id, bytes]) => [id, { id, key: createSecretKey(bytes) }]));
}

function currentOf({ current }: WrappingKeys, keys: ReadonlyMap<string, WrappingKey>): WrappingKey {
  const key = keys.get(current);
  if (!key) throw new Error('the current key is not among the keys');
  return key;
}
