// Every arbitrary choice in an answer comes from a digest of its request: the same request gets the same answer.
import { createHash } from 'node:crypto';

/** The same for equal JSON, whatever the order of its keys: SDKs rebuild the objects they pass on. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex');
}

/** A number from 0 to 65535 that depends on the request only. `position` chooses one of sixteen. */
export function numberFrom(digest: string, position: number): number {
  const start = (position % 16) * 4;
  return Number.parseInt(digest.slice(start, start + 4), 16);
}

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
