// What owners' turns have used, by month, in memory.

import type { FinishTurn } from '../../chat/turn-store.ts';
import { addUsage, monthOfEpoch, NO_SUMS, type UsageSums } from '../../chat/usage-sums.ts';

/** Months of all owners together. Those that were added to longest ago make room. */
const MONTHS_MAX = 10_000;

export class OwnerUsage {
  /** In the order in which they were added to. */
  readonly #months = new Map<string, UsageSums>();

  count(owner: string, { epoch, state, usage }: Pick<FinishTurn, 'epoch' | 'state' | 'usage'>): void {
    if (!usage) return;
    const month = monthOfEpoch(epoch);
    const sums = addUsage(this.read(owner, month), state, usage);
    const name = nameOf(owner, month);
    this.#months.delete(name);
    this.#months.set(name, sums);
    const [oldest = name] = this.#months.keys();
    if (this.#months.size > MONTHS_MAX) this.#months.delete(oldest);
  }

  read(owner: string, month: string): UsageSums {
    return this.#months.get(nameOf(owner, month)) ?? NO_SUMS;
  }

  clear(): void {
    this.#months.clear();
  }
}

function nameOf(owner: string, month: string): string {
  return `${month} ${owner}`;
}
