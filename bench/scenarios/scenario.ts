// What is measured: one load, and the figures that come of it.

import type { Target } from '../targets/target.ts';

export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Of the reference by which it is judged. */
  readonly reference?: { readonly target: string; readonly goal: number };
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** One round; a figure that the target does not have is left out. */
  measure(target: Target, share: number): Promise<Readonly<Record<string, number>>>;
}
