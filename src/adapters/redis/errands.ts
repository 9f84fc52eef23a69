// What is done beside the caller's way: it may fail, and closing waits for it.

export class Errands {
  readonly #pending = new Set<Promise<unknown>>();

  run(errand: Promise<unknown>): void {
    const pending = errand.catch(() => undefined).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
