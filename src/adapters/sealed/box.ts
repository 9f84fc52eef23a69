// Bytes that nobody reads or changes without the key, and that are good for one place only: AES-256-GCM with a random nonce.
// A box is the nonce (12 bytes), the ciphertext, and the tag (16 bytes).

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { Encoded } from '../../chat/encoded.ts';

const CIPHER = 'aes-256-gcm';
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What a box is larger than its contents. */
export const BOX_BYTES = NONCE_BYTES + TAG_BYTES;

/** Where contents belong: they can be opened nowhere else. */
export type Place = readonly (string | number)[];

/** `nonce` is never given twice for different contents. */
export function closeBox(
  key: KeyObject,
  place: Place,
  contents: Encoded,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(encodePlace(place));
  const closed = typeof contents === 'string' ? cipher.update(contents, 'utf8') : cipher.update(contents);
  return Buffer.concat([nonce, closed, cipher.final(), cipher.getAuthTag()]);
}

/** `undefined` when it was closed with another key or for another place, or is not as it was. */
export function openBox(key: KeyObject, place: Place, box: Uint8Array): Buffer | undefined {
  if (box.length < BOX_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(encodePlace(place));
  decipher.setAuthTag(box.subarray(-TAG_BYTES));
  const contents = decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    // Nothing is believed of the contents before this.
    decipher.final();
    return contents;
  } catch {
    return undefined;
  }
}

/** Each part with its length before it: no two places are the same bytes. */
export function encodePlace(place: Place): Buffer {
  return Buffer.concat(
    place.flatMap((part) => {
      const text = Buffer.from(String(part), 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return [length, text];
    }),
  );
}
