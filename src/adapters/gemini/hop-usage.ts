// Tokens of an answer that takes several requests: each counts its own, and all of them were spent.

import type { ModelChunk, Usage } from '../../chat/language-model.ts';

type Counts = Partial<Usage>;

export class HopUsage {
  /** Of the hops that have ended. */
  #before: Counts = {};
  /** Of this one: the newest report of each count. */
  #current: Counts = {};

  /** The chunk, with its report made one of the whole answer. */
  add(chunk: ModelChunk): ModelChunk {
    if (!chunk.usage) return chunk;
    this.#current = { ...this.#current, ...chunk.usage };
    return { ...chunk, usage: sum(this.#before, this.#current) };
  }

  endHop(): void {
    this.#before = sum(this.#before, this.#current);
    this.#current = {};
  }
}

/** A count that neither knows stays unknown. */
function sum(a: Counts, b: Counts): Counts {
  const total: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) total[name] = (total[name] ?? 0) + count;
  return total;
}
