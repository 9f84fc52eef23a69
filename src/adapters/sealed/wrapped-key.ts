// The key of a session as the store keeps it: a version byte, the length and the id of the key that wraps it, and a box that is
// bound to the session and its seal.

import type { Seal } from '../../chat/seal.ts';
import { closeBox, openBox, type Place } from './box.ts';
import type { KeyRing } from './key-ring.ts';
import { Unreadable } from './sealer.ts';

const VERSION = 1;
const PLACE: Place = ['key'];

export function wrapKey({ current }: KeyRing, address: string, id: string, key: Uint8Array): Seal {
  const name = Buffer.from(current.id, 'ascii');
  const box = closeBox(current.key, placeOf(address, id, current.id), key);
  return { id, wrappedKey: Buffer.concat([Buffer.of(VERSION, name.length), name, box]) };
}

/** The caller wipes it. Fails with `Unreadable`. */
export function unwrapKey(ring: KeyRing, address: string, { id, wrappedKey }: Seal): Buffer {
  const name = wrappingKeyId(wrappedKey);
  if (name === undefined) throw new Unreadable(PLACE, 'is no wrapped key');
  const wrapping = ring.find(name);
  if (!wrapping) throw new Unreadable(PLACE, `is wrapped with ${name}, which is not among the keys`);
  const key = openBox(wrapping.key, placeOf(address, id, name), wrappedKey.subarray(2 + name.length));
  if (!key) throw new Unreadable(PLACE, `has been altered, belongs elsewhere, or was wrapped with another ${name}`);
  return key;
}

/** The same key, wrapped with the current one. Fails with `Unreadable`. */
export function wrapAnew(ring: KeyRing, address: string, seal: Seal): Seal {
  const key = unwrapKey(ring, address, seal);
  try {
    return wrapKey(ring, address, seal.id, key);
  } finally {
    key.fill(0);
  }
}

/** By which it is wrapped; `undefined` when these bytes are no wrapped key. */
export function wrappingKeyId(wrappedKey: Uint8Array): string | undefined {
  const [version, length = 0] = wrappedKey;
  const id = Buffer.from(wrappedKey.subarray(2, 2 + length)).toString('latin1');
  return version === VERSION && /^[A-Za-z0-9_-]{1,32}$/.test(id) && id.length === length ? id : undefined;
}

function placeOf(address: string, id: string, wrappingId: string): Place {
  return ['wrapped key', address, id, wrappingId];
}
