// An answer that takes several requests: each counts its own tokens, and all of them were spent; and each may bring every
// candidate again, also those that had finished.

import type { ModelChunk, Usage } from '../../chat/language-model.ts';

type Counts = Partial<Usage>;

export class Hops {
  /** Of the hops that have ended. */
  #before: Counts = {};
  /** Of this one: the newest report of each count. */
  #current: Counts = {};
  #isContinued = false;

  readonly #finished = new Set<number>();
  readonly #finishing = new Set<number>();

  /** The chunk as one of the whole answer: without candidates that had finished in an earlier hop, its tokens summed up. */
  add(whole: ModelChunk): ModelChunk {
    const { usage, candidates } = whole;
    for (const { index, finishReason } of candidates) {
      if (finishReason !== undefined && finishReason !== 'CONTINUATION') this.#finishing.add(index);
    }
    if (usage) this.#current = { ...this.#current, ...usage };
    if (!this.#isContinued) return whole;
    const unfinished = candidates.filter(({ index }) => !this.#finished.has(index));
    const spent = usage ? { usage: sum(this.#before, this.#current) } : {};
    return { ...whole, candidates: unfinished, isContinued: true, ...spent };
  }

  end(): void {
    for (const index of this.#finishing) this.#finished.add(index);
    this.#before = sum(this.#before, this.#current);
    this.#current = {};
    this.#isContinued = true;
  }
}

/** A count that neither knows stays unknown. */
function sum(a: Counts, b: Counts): Counts {
  const total: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) total[name] = (total[name] ?? 0) + count;
  return total;
}
