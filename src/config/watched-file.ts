// A file that operators may change while the service runs: read at start, and again within seconds of every change.

import { readFileSync, unwatchFile, watchFile } from 'node:fs';

/** A promise to operators: changes count within 5 s. Mounted secrets are swapped as links, which `inotify` would not see. */
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
  let content = parse(readTextFile(path));
  const look = () => {
    try {
      content = parse(readTextFile(path));
      onChange?.(undefined);
    } catch (error) {
      onChange?.(error instanceof Error ? error.message : 'cannot be read');
    }
  };
  watchFile(path, { interval: LOOK_MS, persistent: false }, look);
  return { current: () => content, close: () => unwatchFile(path, look) };
}

/** Throws an Error that says by which code it cannot be read. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot be read: ${error instanceof Error && 'code' in error ? error.code : 'unknown error'}`);
  }
}
