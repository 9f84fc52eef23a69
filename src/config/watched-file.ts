// A file that may change while the service runs, such as a mounted secret or configuration map.

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface WatchedFileOptions<Value> {
  readonly path: string;
  /** Fails when the text makes no sense, with an error that may be logged: it quotes no secret. */
  readonly parse: (text: string) => Value;
  /** What was read at the start. */
  readonly first: string;
  readonly everyMs: number;
  /** Once for each change: there is another value now, or what is there cannot be used. */
  readonly onChange: (error?: unknown) => void;
}

/**
 * Read again and again, since neither a replaced link nor a network file system tells of its changes. While it cannot be
 * read or makes no sense, the last good value stays.
 */
export class WatchedFile<Value> {
  readonly #options: WatchedFileOptions<Value>;
  readonly #timer: NodeJS.Timeout;
  #value: Value;
  /** What was seen last: the text, or why there is none. */
  #seen: string;
  #isReading = false;

  constructor(options: WatchedFileOptions<Value>) {
    this.#options = options;
    this.#value = options.parse(options.first);
    this.#seen = textSeen(options.first);
    this.#timer = setInterval(() => void this.#look(), options.everyMs).unref();
  }

  get value(): Value {
    return this.#value;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // A file system that hangs must not collect reads.
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const text = await readFile(this.#options.path, 'utf8');
      this.#take(textSeen(text), () => this.#options.parse(text));
    } catch (error) {
      this.#take(`error ${error}`, () => {
        throw error;
      });
    } finally {
      this.#isReading = false;
    }
  }

  #take(seen: string, parse: () => Value): void {
    if (seen === this.#seen) return;
    this.#seen = seen;
    try {
      this.#value = parse();
    } catch (error) {
      this.#options.onChange(error);
      return;
    }
    this.#options.onChange();
  }
}

function textSeen(text: string): string {
  return `text ${text}`;
}

/** A promise to operators is that changes count within 5 s. */
export const FILE_LOOK_MS = 1000;

/** As it was when it was read first. */
export interface ReadFile {
  readonly path: string;
  readonly text: string;
}

/** Throws an Error that says by which code it cannot be read. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot be read: ${error instanceof Error && 'code' in error ? error.code : 'unknown error'}`);
  }
}

/** Throws an Error of a fixed text: the parser's own quotes what it could not read. */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is not JSON');
  }
}
