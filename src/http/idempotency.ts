// The header by which a client can send the same thing again (draft-ietf-httpapi-idempotency-key-header-07): a structured
// string, also without its quotes.

import { createHash } from 'node:crypto';
import type { Idempotency } from '../chat/claim.ts';
import { invalidField } from '../chat/errors.ts';

const KEY_LENGTH_MAX = 255;

/** RFC 8941, 3.3.3, with parameters (3.1.2): none has a meaning here, and those without one are ignored. */
const STRUCTURED_STRING =
  /^"((?:[^"\\]|\\["\\])*)"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\["\\])*"|[^\s";,\\]+))?)*$/;

/** `content` is what has to be the same; the order of its fields is not. Fails with `invalid_argument`. */
export function idempotencyOf(header: string | undefined, content: unknown): Idempotency | undefined {
  if (header === undefined) return undefined;
  const key = keyIn(header.trim());
  if (!/^[\x21-\x7e]+$/.test(key) || key.length > KEY_LENGTH_MAX) {
    throw invalidField('idempotency-key', `must hold 1 to ${KEY_LENGTH_MAX} visible ASCII characters`);
  }
  return { key: digest(key), fingerprint: digest(canonical(content)) };
}

/** The same key is another one in another place. */
export function within(place: string, { key, fingerprint }: Idempotency): Idempotency {
  return { key: digest(`${place} ${key}`), fingerprint };
}

/** What begins with a quote is a structured string, or none at all: it is never taken as it is. */
function keyIn(value: string): string {
  if (!value.startsWith('"')) return value;
  const [, text] = STRUCTURED_STRING.exec(value) ?? [];
  if (text === undefined) throw invalidField('idempotency-key', 'begins with a quote, but is no structured string');
  return text.replaceAll(/\\(.)/g, '$1');
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
