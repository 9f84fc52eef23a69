// The seals of all sessions in a Redis, whoever owns them: for the command that wraps their keys anew. The service itself never
// looks at more than one owner's.

import type { Seal } from '../../chat/seal.ts';
import { addressIn, metaKeyAt, metaKeys } from './keys.ts';
import type { RedisConfig } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';
import { SCRIPTS } from './scripts.ts';
import { text } from './stored-session.ts';

export interface SessionSeal {
  /** As `SessionStore.addressOf` tells it. */
  readonly address: string;
  /** Of a session whose contents are kept as they are there is none. */
  readonly seal?: Seal;
}

export class RedisSeals {
  readonly #redis: RedisConnection;
  readonly #prefix: string;

  constructor(config: RedisConfig, onError: (error: Error) => void) {
    this.#redis = new RedisConnection(config, onError);
    this.#prefix = config.keyPrefix;
  }

  /** Those that are there all the time; one that comes or goes meanwhile may be missed, and one may come twice. */
  async *all(): AsyncGenerator<SessionSeal> {
    for await (const keys of this.#redis.scan(metaKeys(this.#prefix))) {
      const seals = keys.map((key) => this.#redis.call('HMGET', key, 'version', 'seal', 'sealkey'));
      for (const [index, reply] of (await Promise.all(seals)).entries()) {
        const [version, id, wrappedKey] = reply as (Uint8Array | null)[];
        const address = addressIn(this.#prefix, keys[index] ?? '');
        // Gone since it was found.
        if (!version) continue;
        yield { address, ...(id ? { seal: { id: text(id), wrappedKey: wrappedKey ?? new Uint8Array() } } : {}) };
      }
    }
  }

  /** False when the session has another seal by now, or is gone. */
  async rewrap(address: string, { id, wrappedKey }: Seal): Promise<boolean> {
    const [word] = await this.#redis.run(SCRIPTS.rewrap, [metaKeyAt(this.#prefix, address)], [id, wrappedKey]);
    return text(word) === 'OK';
  }

  reached(): Promise<void> {
    return this.#redis.reached();
  }

  close(): void {
    this.#redis.close();
  }
}
