// The key of one session, by which all its contents are sealed. A record is a version byte, the id of the seal (12 bytes), and
// a box that is bound to the session, the seal and its place.

import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Encoded } from '../../chat/encoded.ts';
import { BOX_BYTES, closeBox, encodePlace, NONCE_BYTES, openBox, type Place } from './box.ts';
import { RECORD_VERSION, type Sealer, Unreadable } from './sealer.ts';

export const KEY_BYTES = 32;
const ID_BYTES = 12;
const HEAD_BYTES = 1 + ID_BYTES;
/** What a sealed record is larger than its contents. */
export const RECORD_BYTES = HEAD_BYTES + BOX_BYTES;

export function newSealId(): string {
  return randomBytes(ID_BYTES).toString('base64url');
}

export class DataKey implements Sealer {
  readonly sealId: string;
  readonly #address: string;
  readonly #head: Buffer;
  readonly #key: KeyObject;

  /** `address` names the session. The bytes are the caller's to wipe. */
  constructor(bytes: Uint8Array, sealId: string, address: string) {
    this.sealId = sealId;
    this.#address = address;
    this.#head = Buffer.concat([Buffer.of(RECORD_VERSION), Buffer.from(sealId, 'base64url')]);
    this.#key = createSecretKey(bytes);
  }

  seal(place: Place, contents: Encoded): Uint8Array {
    return Buffer.concat([this.#head, closeBox(this.#key, this.#own('record', place), contents)]);
  }

  open(place: Place, record: Encoded): Uint8Array {
    if (typeof record === 'string' || record[0] !== RECORD_VERSION) throw new Unreadable(place, 'is not sealed');
    if (!this.#head.equals(record.subarray(0, HEAD_BYTES))) {
      throw new Unreadable(place, 'is sealed with the key of another session', true);
    }
    const contents = openBox(this.#key, this.#own('record', place), record.subarray(HEAD_BYTES));
    if (!contents) throw new Unreadable(place, 'has been altered, or belongs elsewhere');
    return contents;
  }

  /** The nonce comes from the text (as in RFC 5297), so that the store can compare: it is the same for the same text alone. */
  sealText(text: string): string {
    if (text === '') return '';
    const nonce = this.#mac('nonce', text).subarray(0, NONCE_BYTES);
    return closeBox(this.#derived('text'), this.#own('text'), Buffer.from(text, 'utf8'), nonce).toString('base64url');
  }

  openText(sealed: string): string {
    if (sealed === '') return '';
    const text = openBox(this.#derived('text'), this.#own('text'), Buffer.from(sealed, 'base64url'));
    if (!text) throw new Unreadable(['calls'], 'have been altered, or belong elsewhere');
    return text.toString('utf8');
  }

  fingerprint(digest: string): string {
    return this.#mac('fingerprint', digest).toString('base64url');
  }

  #own(purpose: string, place: Place = []): Place {
    return [purpose, this.#address, this.sealId, ...place];
  }

  #mac(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.#derived(purpose)).update(text, 'utf8').digest();
  }

  #derived(purpose: string): KeyObject {
    return createSecretKey(Buffer.from(hkdfSync('sha256', this.#key, '', encodePlace(this.#own(purpose)), KEY_BYTES)));
  }
}
