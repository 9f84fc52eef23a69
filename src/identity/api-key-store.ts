// API keys as operators handle them: made, listed, revoked. A key itself is shown once, when it is made.

import { randomBytes } from 'node:crypto';
import { type ApiKey, digestOf } from './api-keys.ts';
import type { Scope } from './identity.ts';

export interface ApiKeyStore {
  list(): Promise<readonly ApiKey[]>;
  add(key: ApiKey): Promise<void>;
  /** All of them at once, as far as they are there. Idempotent. */
  remove(digests: readonly string[]): Promise<void>;
  close(): void;
}

export interface KeyWish {
  readonly owner: string;
  readonly scopes?: readonly Scope[];
  readonly expireTime?: string;
}

/** The beginning says whose key it is to whoever finds it, secret scanners among them. */
const PREFIX = 'csp_';
const KEY_BYTES = 32;
/** Of the digest: enough to tell thousands of keys apart, of no use to whoever wants to guess one. */
const ID_LENGTH = 12;

export function keyId({ sha256 }: ApiKey): string {
  return sha256.slice(0, ID_LENGTH);
}

/** A key of 256 random bits, and what is kept of it. */
export function newKey({ owner, scopes, expireTime }: KeyWish, nowMs: number): { key: string; kept: ApiKey } {
  const key = `${PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`;
  const kept = {
    owner,
    sha256: digestOf(Buffer.from(key)),
    ...(scopes ? { scopes } : {}),
    createTime: new Date(nowMs).toISOString(),
    ...(expireTime === undefined ? {} : { expireTime }),
  };
  return { key, kept };
}
