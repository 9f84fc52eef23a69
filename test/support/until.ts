// Waiting for a fact instead of for a time: asked again and again until it is so, or the deadline has passed.

import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  readonly deadlineMs?: number;
  readonly everyMs?: number;
}

/** Resolves with the first truthy answer of `ask`. Errors of `ask` are the test's own and are not retried. */
export async function until<T>(
  fact: string,
  ask: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 5 }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${fact}`);
    await delay(everyMs);
  }
}
