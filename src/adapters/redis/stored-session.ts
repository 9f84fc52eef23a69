// The meta hash of a session, read field by field.

import type { CreateSession } from '../../chat/session-store.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import { NO_SUMS } from '../../chat/usage-sums.ts';
import type { RedisConnection } from './redis-connection.ts';
import { SCRIPTS } from './scripts.ts';

/** What `storedOf` needs, in its order. */
const STORED_FIELDS = [
  'config',
  'ttl',
  'ctime',
  'utime',
  'version',
  'count',
  'turn',
  'epoch',
  'lease',
  'seal',
  'sealkey',
  'tokens:prompt',
  'tokens:output',
  'tokens:thought',
  'tokens:cached',
  'tokens:total',
] as const;

/** A clock that differs by less is right: the difference is that of the way. */
const WRONG_MS = 1000;

/** `undefined` when the session does not exist (any more). */
export async function readStored(
  redis: RedisConnection,
  sessionId: string,
  meta: string,
): Promise<StoredSession | undefined> {
  const [storeMs, ...fields] = await redis.query(SCRIPTS.read, [meta], STORED_FIELDS);
  const aheadMs = Date.now() - number(storeMs);
  return storedOf(sessionId, fields as (Uint8Array | null)[], Math.abs(aheadMs) < WRONG_MS ? 0 : aheadMs);
}

/**
 * `aheadMs`: of our clock before that of Redis, by which leases are given. A lease is told in our time: who looks at it with
 * a clock that is wrong would take the living for dead, or the dead for living.
 */
function storedOf(
  sessionId: string,
  fields: readonly (Uint8Array | null)[],
  aheadMs: number,
): StoredSession | undefined {
  const [config, ttl, ctime, utime, version, count, turn, epoch, lease, seal, wrappedKey, ...tokens] = fields;
  if (!config) return undefined;
  const [promptTokens = 0, outputTokens = 0, thoughtTokens = 0, cachedTokens = 0, totalTokens = 0] = tokens.map(number);
  return {
    sessionId,
    config,
    ttlS: number(ttl) / 1000,
    createTimeMs: number(ctime),
    updateTimeMs: number(utime),
    version: number(version),
    epoch: number(epoch),
    messageCount: number(count),
    usage: { promptTokens, outputTokens, thoughtTokens, cachedTokens, totalTokens },
    ...(turn ? { running: { turnId: text(turn), epoch: number(epoch), leaseUntilMs: number(lease) + aheadMs } } : {}),
    ...(seal ? { seal: { id: text(seal), wrappedKey: wrappedKey ?? new Uint8Array() } } : {}),
  };
}

/** Of a session that has just been made. */
export function storedNew(
  sessionId: string,
  { config, ttlS, messages, seal }: CreateSession,
  { epoch, timeMs }: { readonly epoch: number; readonly timeMs: number },
): StoredSession {
  return {
    sessionId,
    config,
    ttlS,
    createTimeMs: timeMs,
    updateTimeMs: timeMs,
    version: 1,
    epoch,
    messageCount: messages.length,
    usage: NO_SUMS.usage,
    ...(seal ? { seal } : {}),
  };
}

export function text(bytes: unknown): string {
  if (bytes instanceof Uint8Array)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return String(bytes);
}

export function number(bytes: unknown): number {
  return bytes === null || bytes === undefined ? 0 : Number(text(bytes));
}
