// The header by which a client can send the same thing again (draft-ietf-httpapi-idempotency-key-header-07): a structured
// string, also without its quotes.

import { createHash } from 'node:crypto';
import type { Idempotency } from '../chat/claim.ts';
import { invalidField } from '../chat/errors.ts';

const KEY_LENGTH_MAX = 255;

/** `content` is what has to be the same; the order of its fields is not. Fails with `invalid_argument`. */
export function idempotencyOf(header: string | undefined, content: unknown): Idempotency | undefined {
  if (header === undefined) return undefined;
  const key = header.trim().replace(/^"(.*)"$/, '$1');
  if (!/^[\x21-\x7e]+$/.test(key) || key.length > KEY_LENGTH_MAX) {
    throw invalidField('idempotency-key', `must hold 1 to ${KEY_LENGTH_MAX} visible ASCII characters`);
  }
  return { key: digest(key), fingerprint: digest(canonical(content)) };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
