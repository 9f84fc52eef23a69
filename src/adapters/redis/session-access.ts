// How the parts of the store come to one session: its keys, scripts that take them, and what it is now.

import { sessionNotFound } from '../../chat/refusals.ts';
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

  /** Runs a script that takes all keys of the session; its first word comes as a string. */
  async run(script: Script, key: SessionKey, args: readonly RedisArgument[]): Promise<[string, ...unknown[]]> {
    const [word, ...rest] = await this.redis.run(script, allKeys(this.keys(key)), args);
    return [text(word), ...rest];
  }

  /** Fails with `session_not_found`. */
  async read(key: SessionKey): Promise<StoredSession> {
    const stored = await readStored(this.redis, key.sessionId, this.keys(key).meta);
    if (!stored) throw sessionNotFound();
    return stored;
  }
}
