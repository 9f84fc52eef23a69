// Whether this process has more to do than it can. It refuses nothing by itself: only new turns are refused, where they begin
// (`chat/begin-turn.ts`), so that whoever has a turn can watch, cancel and read it, and probes are answered.

import underPressure from '@fastify/under-pressure';
import type { Edge } from './edge.ts';

/** 0 for a limit that is not looked at. */
export interface LoadLimits {
  readonly eventLoopDelayMs: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether a limit has been exceeded for some seconds. */
    isOverloaded(): boolean;
  }
}

const MEASURE_MS = 1000;
/** Longer, so that each look sees another measure. */
const LOOK_MS = 2000;
/** One measure is no load: a start, a frozen process that goes on, one large garbage collection. */
const LOOKS_MIN = 2;

export async function watchLoad(app: Edge, { eventLoopDelayMs, heapBytes, rssBytes }: LoadLimits): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: eventLoopDelayMs,
    maxHeapUsedBytes: heapBytes,
    maxRssBytes: rssBytes,
    maxEventLoopUtilization: 0,
    sampleInterval: MEASURE_MS,
    exposeStatusRoute: false,
    // Its own hook sees every request: who returns nothing lets it pass.
    pressureHandler: () => undefined,
  });
  let looks = 0;
  const timer = setInterval(() => {
    looks = app.isUnderPressure() ? looks + 1 : 0;
  }, LOOK_MS).unref();
  app.addHook('onClose', async () => clearInterval(timer));
  app.decorate('isOverloaded', () => looks >= LOOKS_MIN);
}
