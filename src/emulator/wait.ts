// Waiting that ends with the exchange: when the client goes or the emulator closes, `signal` aborts and every wait is over.
import { setTimeout } from 'node:timers/promises';

/** Resolves, never rejects: whoever waited looks at `signal.aborted` when it matters to him. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  try {
    await setTimeout(ms, undefined, { signal });
  } catch {
    // The only reason is the abort.
  }
}

/** Resolves when `start` calls its argument, or at the abort. A write to a dead connection may never call back. */
export function until(signal: AbortSignal, start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    start(done);
  });
}

export function silence(signal: AbortSignal): Promise<void> {
  return until(signal, () => {});
}
