// A clock that the test moves: nothing happens by itself, and nothing takes time.

import type { Clock } from '../../src/chat/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly task: () => void;
}

export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = Date.parse('2026-01-01T00:00:00Z')) {
    this.#nowMs = nowMs;
  }

  /** Timers that nobody has taken back. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, task: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + ms, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Lets `ms` pass: every timer due fires at its time, in order, and what it started settles before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await settle();
    for (let next = this.#nextBefore(until); next; next = this.#nextBefore(until)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.task();
      await settle();
    }
    this.#nowMs = until;
  }

  #nextBefore(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= until && (!next || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}

/** Everything that waits for nothing but promises is done when this resolves. */
export async function settle(): Promise<void> {
  for (let rounds = 0; rounds < 3; rounds += 1) await new Promise(setImmediate);
}
