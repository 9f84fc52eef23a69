// Ids that nobody can guess, and that need no index to be unique.

import { randomFillSync } from 'node:crypto';

/** 144 bits. */
const ID_BYTES = 18;
/** The system is asked for many ids at once: a call costs as much as dozens of them. */
const pool = Buffer.alloc(ID_BYTES * 256);
let used = pool.length;

export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString('base64url', used, used + ID_BYTES);
  used += ID_BYTES;
  return id;
}
