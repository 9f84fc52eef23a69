// Small things of one kind that can be done together: gathered for a while, by whom they are for, then done at once.

/** How long the first one waits for others: so much later others see it; who is about to look here does not wait (`flushOf`). */
const GATHER_MS = 50;
/** In one go: a script that takes long holds up everybody. */
const TOGETHER_MAX = 100;

export class Gathered<Item> {
  readonly #do: (owner: string, items: readonly Item[]) => void;
  readonly #waiting = new Map<string, Map<string, Item>>();
  #timer: NodeJS.Timeout | undefined;
  #hurry: NodeJS.Immediate | undefined;

  constructor(doThem: (owner: string, items: readonly Item[]) => void) {
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
    else this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Waits for no others but those of this turn of the event loop: somebody is about to be told. */
  hurry(): void {
    this.#hurry ??= setImmediate(() => this.flush());
  }

  /** Does now what waits for this owner: what is read after it, on the same connection, has seen it. */
  flushOf(owner: string): void {
    const items = this.#waiting.get(owner);
    this.#waiting.delete(owner);
    if (items) this.#do(owner, [...items.values()]);
  }

  /** Does now what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#hurry);
    this.#timer = undefined;
    this.#hurry = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [owner, items] of waiting) this.#do(owner, [...items.values()]);
  }
}
