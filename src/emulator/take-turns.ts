// Ways through lists that are made while they are read.

/** One of each list, then the next one of each, until all have ended. */
export function* takeTurns<T>(lists: readonly Iterator<T, void>[]): Generator<T> {
  let open = lists;
  while (open.length > 0) {
    const stillOpen: Iterator<T, void>[] = [];
    for (const list of open) {
      const next = list.next();
      if (next.done) continue;
      stillOpen.push(list);
      yield next.value;
    }
    open = stillOpen;
  }
}

/** The next one of every list at once, until all have ended. Of one that has ended there is nothing any more. */
export function* sideBySide<T>(lists: readonly Iterator<T, void>[]): Generator<readonly (T | undefined)[]> {
  for (;;) {
    const row = lists.map((list) => list.next());
    if (row.every(({ done }) => done)) return;
    yield row.map((next) => (next.done ? undefined : next.value));
  }
}

export function* withLast<T>(items: Iterable<T>): Generator<{ readonly item: T; readonly isLast: boolean }> {
  let held: { readonly item: T } | undefined;
  for (const item of items) {
    if (held) yield { ...held, isLast: false };
    held = { item };
  }
  if (held) yield { ...held, isLast: true };
}
