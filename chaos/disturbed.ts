// What was disturbed at a time: some things may happen only then.

import type { Disturbed } from './evidence.ts';

/** What has been put right is felt for a while: connections are made again, a failover ends. */
const FELT_MS = 10_000;

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Whether a producer may have been kept from its store for so long that it was taken for dead. */
export function canCostALease({ lane, kind }: Disturbed): boolean {
  if (lane === 'network') return !kind.startsWith('network to model');
  return lane !== 'step' || kind.endsWith('late');
}

export function isDisturbed(
  disturbed: readonly Disturbed[],
  { fromMs, toMs }: Span,
  counts: (one: Disturbed) => boolean,
): boolean {
  return disturbed.some((one) => one.fromMs < toMs && one.toMs + FELT_MS > fromMs && counts(one));
}
