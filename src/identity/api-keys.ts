// `AUTH=api-key`: who holds a key is its owner. Only digests of keys are kept, in a file or in Redis.

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  bearerToken,
  type Caller,
  type Identity,
  missing,
  onlyHeader,
  REALM,
  refused,
  type Scope,
  scopeOf,
} from './identity.ts';

/** What is kept of a key. */
export interface ApiKey {
  readonly owner: string;
  /** Of the key's UTF-8 bytes, lower-case hex. */
  readonly sha256: string;
  /** Absent: `chat`. */
  readonly scopes?: readonly Scope[];
  /** RFC 3339. */
  readonly createTime?: string;
  /** From then on the key is nobody's. */
  readonly expireTime?: string;
}

export interface ApiKeys {
  /** The key with this digest, as it was at most a few seconds ago. Fails with `identity_unavailable`. */
  find(sha256: string): Promise<ApiKey | undefined>;
  close(): void;
}

/** Longer ones are not hashed: ours have 47 characters. */
const KEY_LENGTH_MAX = 1024;

export class ApiKeyIdentity implements Identity {
  readonly challenge = `Bearer ${REALM}`;
  readonly #keys: ApiKeys;
  readonly #now: () => number;

  constructor(keys: ApiKeys, now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  /** `x-api-key` comes first: a platform in front may want `Authorization` for itself. */
  async identify(request: IncomingMessage): Promise<Caller> {
    const key = onlyHeader(request, 'x-api-key') ?? bearerToken(request);
    if (!key) throw missing('An API key is needed: Authorization: Bearer, or x-api-key.');
    // Found by its digest, so that how long it takes says nothing about keys that exist; there is nothing to compare after.
    const found = key.length > KEY_LENGTH_MAX ? undefined : await this.#keys.find(digestOf(Buffer.from(key, 'latin1')));
    const untilMs = found?.expireTime === undefined ? undefined : Date.parse(found.expireTime);
    if (!found || (untilMs ?? Number.POSITIVE_INFINITY) <= this.#now()) throw refused('The API key is not valid.');
    return { owner: found.owner, scope: scopeOf(found.scopes ?? []), ...(untilMs === undefined ? {} : { untilMs }) };
  }

  close(): void {
    this.#keys.close();
  }
}

/** Of its bytes as they are sent: headers show each of them as a character. */
export function digestOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex');
}
