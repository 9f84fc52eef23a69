// How the contents of one session are sealed and opened. Where no keys are set, nothing is sealed, and nothing that is sealed
// goes through as if it were contents.

import type { Encoded } from '../../chat/encoded.ts';
import type { Place } from './box.ts';

export interface Sealer {
  /** Of the seal that it works for. */
  readonly sealId: string | undefined;
  seal(place: Place, contents: Encoded): Encoded;
  /** Fails with `Unreadable`. */
  open(place: Place, record: Encoded): Encoded;
  /** For what the store compares: the same text is sealed in the same way. An empty one stays empty. */
  sealText(text: string): string;
  /** Fails with `Unreadable`. */
  openText(sealed: string): string;
  /** In the place of a digest that could be found by trying contents. */
  fingerprint(digest: string): string;
}

/** A record that is not what was sealed for its place, with the reason, which tells nothing of contents. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
  readonly record: string;
  readonly reason: string;
  /** It was sealed for another session of the same name, or says so. */
  readonly isOfOtherSeal: boolean;

  constructor(place: Place, reason: string, isOfOtherSeal = false) {
    super(reason);
    this.record = place.join(' ');
    this.reason = reason;
    this.isOfOtherSeal = isOfOtherSeal;
  }
}

/** First byte of a sealed record. No contents begin with it: they are JSON, or frames. */
export const RECORD_VERSION = 1;

export const PLAIN: Sealer = {
  sealId: undefined,
  seal: (_place, contents) => contents,
  open(place, record) {
    if (typeof record !== 'string' && record[0] === RECORD_VERSION)
      throw new Unreadable(place, 'is sealed, and no keys are set');
    return record;
  },
  sealText: (text) => text,
  openText: (text) => text,
  fingerprint: (digest) => digest,
};
