// Which session a creation with an idempotency key has made. Each has a key of its own, on its owner's slot, and a lifetime:
// nothing grows, and a claim whose session was never made is simply made good by the next call.

import type { Idempotency, KeptIdempotency } from '../../chat/claim.ts';
import { idempotencyMismatch } from '../../chat/refusals.ts';
import type { SessionKey } from '../../chat/session.ts';
import { Errands } from './errands.ts';
import { creationKey } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { text } from './stored-session.ts';

/** Is in no digest, and in no id. */
const SEPARATOR = '.';

/** By which a session knows that this very request has made it. */
export function attemptOf({ key, fingerprint }: Idempotency): string {
  return `${key}${SEPARATOR}${fingerprint}`;
}

export class Creations {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #errands = new Errands();

  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** The id of the session that this key has made, or was to make. Fails with `idempotency_mismatch`. */
  async recall(owner: string, { key, fingerprint }: Idempotency): Promise<string | undefined> {
    const claimed = await this.#redis.call('GET', creationKey(this.#prefix, owner, key));
    return claimed ? idIn(claimed, fingerprint) : undefined;
  }

  /** The id that the first call of this key came with. Fails with `idempotency_mismatch`. */
  async claim({ owner, sessionId }: SessionKey, { key, fingerprint, ttlMs }: KeptIdempotency): Promise<string> {
    const name = creationKey(this.#prefix, owner, key);
    const claimed = await this.#redis.call('SET', name, `${fingerprint} ${sessionId}`, 'NX', 'GET', 'PX', ttlMs);
    return claimed ? idIn(claimed, fingerprint) : sessionId;
  }

  /** For a session that is gone, or could not be made, by this attempt. */
  forgetSoon(owner: string, attempt: string): void {
    const [name, fingerprint] = attempt.split(SEPARATOR);
    if (!name || !fingerprint) return;
    this.#errands.run(this.#redis.call('UNLINK', creationKey(this.#prefix, owner, name)));
  }

  settle(): Promise<void> {
    return this.#errands.settle();
  }
}

function idIn(claimed: unknown, fingerprint: string): string {
  const [known, id = ''] = text(claimed).split(' ');
  if (known !== fingerprint) throw idempotencyMismatch();
  return id;
}
