// A file that operators may change while the service runs: read at start, and again within seconds of every change.

import { readFileSync } from 'node:fs';

/**
 * A promise to operators: changes count within 5 s. The text itself is compared: mounted secrets are swapped as links, which
 * `inotify` would not see, and what changes just before the first look has the times of the first look.
 */
const LOOK_MS = 1000;

export interface WatchedFile<T> {
  /** What the newest readable version says. */
  current(): T;
  close(): void;
}

export interface FileWatch<T> {
  readonly path: string;
  /** Throws an Error whose text goes to the operator, and quotes no secret. */
  readonly parse: (text: string) => T;
  /** Told of a version that was read, and of one that could not be: then the last good one stays. */
  readonly onChange?: (problem: string | undefined) => void;
}

/** Throws what `parse` does, or that the file cannot be read. */
export function watchFileContent<T>({ path, parse, onChange }: FileWatch<T>): WatchedFile<T> {
  /** `undefined` while it cannot be read. */
  let seen: string | undefined = readTextFile(path);
  let content = parse(seen);
  const look = () => {
    const before = seen;
    seen = undefined;
    try {
      seen = readTextFile(path);
      if (seen === before) return;
      content = parse(seen);
      onChange?.(undefined);
    } catch (error) {
      // Said once for as long as it cannot be read.
      if (seen !== before) onChange?.(error instanceof Error ? error.message : 'cannot be read');
    }
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return { current: () => content, close: () => clearInterval(timer) };
}

/** Throws an Error that says by which code it cannot be read. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot be read: ${error instanceof Error && 'code' in error ? error.code : 'unknown error'}`);
  }
}
