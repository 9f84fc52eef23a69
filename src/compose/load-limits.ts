// When a process takes no more turns: as it is configured, or before Node or the container ends it.

import { getHeapStatistics } from 'node:v8';
import type { Environment } from '../config/environment.ts';
import type { LoadLimits } from '../http/load-shedding.ts';

const HEAP_SHARE = 0.8;
const CONTAINER_SHARE = 0.85;
/** What is said to be the limit where there is none is far more than any machine has. */
const CONTAINER_BYTES_MAX = 2 ** 46;

export function loadLimits(env: Environment): LoadLimits {
  const container = process.constrainedMemory();
  const isLimited = container > 0 && container < CONTAINER_BYTES_MAX;
  return {
    eventLoopDelayMs: env.SHED_EVENT_LOOP_DELAY_MS,
    heapBytes: env.SHED_HEAP_BYTES ?? Math.floor(getHeapStatistics().heap_size_limit * HEAP_SHARE),
    rssBytes: env.SHED_RSS_BYTES ?? (isLimited ? Math.floor(container * CONTAINER_SHARE) : 0),
  };
}
