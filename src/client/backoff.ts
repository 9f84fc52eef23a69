// How long to wait before something is tried again.

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Twice as long with every attempt (from 0), up to the maximum; half of it by chance, so that clients that were cut
 * together do not come back together. Never sooner than the service has asked for.
 */
export function backoffMs(attempt: number, { firstMs, maxMs }: Backoff, askedMs = 0): number {
  const ms = Math.min(firstMs * 2 ** attempt, maxMs);
  return Math.max(askedMs, ms * (0.5 + Math.random() / 2));
}
