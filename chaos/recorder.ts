// Writes down every operation, with a clock that all clients of the run share.

import type { Operation } from './evidence.ts';

type Unnumbered<T> = T extends unknown ? Omit<T, 'number' | 'beganMs' | 'endedMs'> : never;

/** What is known of an operation when it has ended. */
export type Ended = Unnumbered<Operation>;

export interface Begun {
  readonly number: number;
  readonly beganMs: number;
  end(operation: Ended): void;
}

export class Recorder {
  readonly #operations: Operation[] = [];
  readonly #startedAt = performance.now();
  #begun = 0;

  nowMs(): number {
    return performance.now() - this.#startedAt;
  }

  begin(): Begun {
    const number = this.#begun;
    this.#begun += 1;
    const beganMs = this.nowMs();
    const end = (operation: Ended) => {
      this.#operations.push({ ...operation, number, beganMs, endedMs: this.nowMs() } as Operation);
    };
    return { number, beganMs, end };
  }

  /** In the order in which they began. */
  get operations(): readonly Operation[] {
    return this.#operations.toSorted((a, b) => a.number - b.number);
  }
}
