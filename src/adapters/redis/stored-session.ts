// The meta hash of a session, read field by field.

import type { StoredSession } from '../../chat/session-store.ts';

/** What `readStored` needs, in its order. */
export const STORED_FIELDS = [
  'config',
  'ttl',
  'ctime',
  'utime',
  'version',
  'count',
  'turn',
  'epoch',
  'lease',
  'tokens:prompt',
  'tokens:output',
  'tokens:thought',
  'tokens:cached',
  'tokens:total',
] as const;

/** `undefined` when the session does not exist (any more). */
export function readStored(sessionId: string, fields: readonly (Uint8Array | null)[]): StoredSession | undefined {
  const [config, ttl, ctime, utime, version, count, turn, epoch, lease, ...tokens] = fields;
  if (!config) return undefined;
  const [promptTokens = 0, outputTokens = 0, thoughtTokens = 0, cachedTokens = 0, totalTokens = 0] = tokens.map(number);
  return {
    sessionId,
    config,
    ttlS: number(ttl) / 1000,
    createTimeMs: number(ctime),
    updateTimeMs: number(utime),
    version: number(version),
    messageCount: number(count),
    usage: { promptTokens, outputTokens, thoughtTokens, cachedTokens, totalTokens },
    ...(turn ? { running: { turnId: text(turn), epoch: number(epoch), leaseUntilMs: number(lease) } } : {}),
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
