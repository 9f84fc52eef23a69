// API keys in Redis: one hash, digest → record. A key that was revoked lets nobody in any more after the time for which
// answers are remembered here.

import { ChatError } from '../../chat/errors.ts';
import { parseKeyRecord } from '../../identity/api-key-records.ts';
import type { ApiKeyStore } from '../../identity/api-key-store.ts';
import type { ApiKey, ApiKeys } from '../../identity/api-keys.ts';
import { apiKeysKey } from './keys.ts';
import type { RedisConfig } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';

/** Also for keys that are not there: guesses must not become load. */
const REMEMBER_MS = 2000;
const REMEMBERED_MAX = 10_000;

interface Remembered {
  readonly key: Promise<ApiKey | undefined>;
  readonly untilMs: number;
}

export class RedisApiKeys implements ApiKeys, ApiKeyStore {
  readonly #connection: RedisConnection;
  readonly #hash: string;
  readonly #now: () => number;
  /** In the order in which they were looked up. */
  readonly #remembered = new Map<string, Remembered>();

  /** `now`: monotonic, milliseconds. */
  constructor(config: RedisConfig, now: () => number, onError: (error: Error) => void) {
    this.#connection = new RedisConnection(config, onError);
    this.#hash = apiKeysKey(config.keyPrefix);
    this.#now = now;
  }

  find(sha256: string): Promise<ApiKey | undefined> {
    const now = this.#now();
    const known = this.#remembered.get(sha256);
    if (known && now < known.untilMs) return known.key;
    const key = this.#read(sha256);
    this.#remembered.delete(sha256);
    this.#remembered.set(sha256, { key, untilMs: now + REMEMBER_MS });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= REMEMBERED_MAX) break;
      this.#remembered.delete(oldest);
    }
    // What could not be read is asked again.
    key.catch(() => this.#forget(sha256, key));
    return key;
  }

  reached(): Promise<void> {
    return this.#connection.reached();
  }

  async list(): Promise<readonly ApiKey[]> {
    const reply = (await this.#connection.call('HGETALL', this.#hash)) as readonly Buffer[];
    return reply.filter((_, i) => i % 2 === 1).flatMap((record) => parseKeyRecord(record.toString()) ?? []);
  }

  async add(key: ApiKey): Promise<void> {
    await this.#connection.call('HSET', this.#hash, key.sha256, JSON.stringify(key));
  }

  async remove(digests: readonly string[]): Promise<void> {
    if (digests.length > 0) await this.#connection.call('HDEL', this.#hash, ...digests);
  }

  close(): void {
    this.#connection.close();
  }

  #forget(sha256: string, key: Promise<unknown>): void {
    if (this.#remembered.get(sha256)?.key === key) this.#remembered.delete(sha256);
  }

  async #read(sha256: string): Promise<ApiKey | undefined> {
    try {
      const record = (await this.#connection.call('HGET', this.#hash, sha256)) as Buffer | null;
      return record ? parseKeyRecord(record.toString()) : undefined;
    } catch (cause) {
      throw new ChatError('identity_unavailable', 'API keys cannot be looked up now.', { cause });
    }
  }
}
