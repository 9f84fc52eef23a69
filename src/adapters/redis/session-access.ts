// How the parts of the store come to one session: its keys, scripts that take them, and what it is now.

import { sessionNotFound } from '../../chat/refusals.ts';
import { SealMismatch } from '../../chat/seal.ts';
import type { SessionKey } from '../../chat/session.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import { allKeys, type SessionKeys, sessionKeys } from './keys.ts';
import type { RedisArgument, RedisConnection } from './redis-connection.ts';
import type { Script } from './scripts.ts';
import { readStored, text } from './stored-session.ts';

export class SessionAccess {
  readonly redis: RedisConnection;
  readonly #prefix: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.redis = redis;
    this.#prefix = prefix;
  }

  keys(key: SessionKey): SessionKeys {
    return sessionKeys(this.#prefix, key);
  }

  /** Runs a script that takes all keys of the session; promises as `runOn`. */
  run(script: Script, key: SessionKey, args: readonly RedisArgument[]): Promise<[string, ...unknown[]]> {
    return this.runOn(allKeys(this.keys(key)), script, args);
  }

  /** Same on some of its keys. The first word comes as a string. Fails with a `SealMismatch` where the script takes contents. */
  async runOn(
    keys: readonly string[],
    script: Script,
    args: readonly RedisArgument[],
  ): Promise<[string, ...unknown[]]> {
    const [first, ...rest] = await this.redis.run(script, keys, args);
    const word = text(first);
    if (word === 'SEAL') throw new SealMismatch();
    return [word, ...rest];
  }

  /** Fails with `session_not_found`. */
  async read(key: SessionKey): Promise<StoredSession> {
    const stored = await readStored(this.redis, key.sessionId, this.keys(key).meta);
    if (!stored) throw sessionNotFound();
    return stored;
  }
}
