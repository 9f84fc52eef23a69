// The keys of an issuer (RFC 7517), fetched when they are needed and kept for a while. They come from where the
// configuration says; nothing in a token (`jku`, `x5u`, `jwk`) has a say in it.

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { ChatError } from '../chat/errors.ts';

export interface KeySource {
  readonly issuer: string;
  /** Absent: the issuer's discovery document says. */
  readonly jwksUrl?: string;
  /** The JSON at an address. Bounded in time and size, follows no redirect. */
  readonly fetchJson: (url: string) => Promise<unknown>;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Told why the keys could not be read. */
  readonly onFailure: (error: unknown) => void;
}

/** How long keys count as new; after that they are read again, beside the requests. */
const FRESH_MS = 600_000;
/** How long they serve when they cannot be read again. */
const STALE_MS = 3_600_000;
/** A token that names an unknown key may be newer than what is known, or made up: so often it is worth a look. */
const UNKNOWN_KEY_MS = 30_000;
/** After a failure. */
const RETRY_MS = 1000;
/** Whoever has more than a few has been tampered with. */
const KEYS_MAX = 200;

export class RemoteKeys {
  readonly #source: KeySource;
  #keys: { readonly find: JWTVerifyGetKey; readonly readAt: number } | undefined;
  /** One at a time, whoever waits for it. */
  #reading: Promise<void> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(source: KeySource) {
    this.#source = source;
  }

  readonly find: JWTVerifyGetKey = async (header, token) => {
    const find = await this.#usable();
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !(await this.renew())) throw error;
      return (await this.#usable())(header, token);
    }
  };

  async #usable(): Promise<JWTVerifyGetKey> {
    const age = this.#age();
    if (age > STALE_MS) await this.#read();
    else if (age > FRESH_MS) void this.#read();
    if (this.#keys && this.#age() <= STALE_MS) return this.#keys.find;
    throw unavailable();
  }

  #age(): number {
    return this.#keys ? this.#source.now() - this.#keys.readAt : Number.POSITIVE_INFINITY;
  }

  /**
   * For a token whose key is not known, or does not fit and was not named: the set may be older than the token. False when it was
   * read for that a moment ago: a flood of made-up names must not become one of requests to the issuer. Fails with
   * `identity_unavailable` when it could not be read, since then nobody knows.
   */
  async renew(): Promise<boolean> {
    const now = this.#source.now();
    const isDue = now - this.#renewedAt >= UNKNOWN_KEY_MS || this.#reading !== undefined;
    if (isDue) {
      this.#renewedAt = now;
      await this.#read();
    }
    if (this.#hasFailed) throw unavailable();
    return isDue;
  }

  /** Never rejects: what it could not bring is not there. */
  #read(): Promise<void> {
    if (this.#source.now() - this.#failedAt < RETRY_MS) return Promise.resolve();
    this.#reading ??= this.#fetch().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #fetch(): Promise<void> {
    try {
      const keys = await this.#source.fetchJson(this.#source.jwksUrl ?? (await this.#discover()));
      if (!isKeySet(keys)) throw new ChatError('identity_unavailable', 'what the issuer has sent is not a key set');
      this.#keys = { find: createLocalJWKSet(keys), readAt: this.#source.now() };
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      this.#failedAt = this.#source.now();
      this.#source.onFailure(error);
    }
  }

  /** OpenID Connect Discovery 1.0, 4: the document has to speak of exactly this issuer. */
  async #discover(): Promise<string> {
    const { issuer, fetchJson } = this.#source;
    const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const said = typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : {};
    if (said.issuer !== issuer)
      throw new ChatError('identity_unavailable', 'the discovery document is of another issuer');
    if (typeof said.jwks_uri !== 'string')
      throw new ChatError('identity_unavailable', 'the discovery document names no keys');
    const isDowngrade = issuer.startsWith('https:') && !said.jwks_uri.startsWith('https:');
    if (isDowngrade) throw new ChatError('identity_unavailable', 'the discovery document names keys without TLS');
    return said.jwks_uri;
  }
}

function unavailable(): ChatError {
  return new ChatError('identity_unavailable', 'Tokens cannot be checked now: the keys of their issuer are missing.');
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  const { keys } = (value ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) return false;
  return keys.every((key) => typeof key === 'object' && key !== null);
}
