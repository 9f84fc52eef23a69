// Small things of one kind that can be done together: gathered for a while, by whom they are for, then done at once.

/** In one go: a script that takes long holds up everybody. */
const TOGETHER_MAX = 100;

/** When to do what waits, from the first of it on; the returned function takes it back. */
export type GatherUntil = (flush: () => void) => () => void;

/** Until the end of this turn of the event loop: somebody is about to be told. */
export const endOfTurn: GatherUntil = (flush) => {
  const immediate = setImmediate(flush);
  return () => clearImmediate(immediate);
};

/** For a moment: so much later others see it; who is about to look here does not wait (`flushOf`). */
export const aMoment: GatherUntil = (flush) => {
  const timer = setTimeout(flush, 50);
  return () => clearTimeout(timer);
};

export class Gathered<Item> {
  readonly #until: GatherUntil;
  readonly #do: (owner: string, items: readonly Item[]) => void;
  readonly #waiting = new Map<string, Map<string, Item>>();
  #takeBack: (() => void) | undefined;

  constructor(until: GatherUntil, doThem: (owner: string, items: readonly Item[]) => void) {
    this.#until = until;
    this.#do = doThem;
  }

  /** A newer one of the same name takes the place of the older. */
  add(owner: string, name: string, item: Item): void {
    let items = this.#waiting.get(owner);
    if (!items) {
      items = new Map();
      this.#waiting.set(owner, items);
    }
    items.set(name, item);
    if (items.size >= TOGETHER_MAX) this.flushOf(owner);
    else this.#takeBack ??= this.#until(() => this.flush());
  }

  /** Does now what waits for this owner: what is read after it, on the same connection, has seen it. */
  flushOf(owner: string): void {
    const items = this.#waiting.get(owner);
    this.#waiting.delete(owner);
    if (items) this.#do(owner, [...items.values()]);
  }

  /** Does now what waits. */
  flush(): void {
    this.#takeBack?.();
    this.#takeBack = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [owner, items] of waiting) this.#do(owner, [...items.values()]);
  }
}
