// Whether a history that was read beside the claim of a turn is the one that the turn sees.

import { hash } from 'node:crypto';

/** As many messages, with the same last one: `last_seen` of the scripts says why that is enough. */
export function isSeen(history: readonly Uint8Array[], count: number, lastDigest: string): boolean {
  const last = history.at(-1);
  return history.length === count && (last ? hash('sha1', last, 'hex') : '') === lastDigest;
}
