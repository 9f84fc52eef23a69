// A file that may change while the service runs, such as a mounted secret or configuration map.

import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

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
  /** Of a version that was read when it was no longer new. */
  #stamp: string | undefined;

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
      const text = await this.#read();
      if (text === undefined) return;
      this.#take(textSeen(text), () => this.#options.parse(text));
    } catch (error) {
      this.#take(`error ${error}`, () => {
        throw error;
      });
    } finally {
      this.#isReading = false;
    }
  }

  /** `undefined` when it is surely the same as before. Otherwise it is read: its times say nothing about the last moments. */
  async #read(): Promise<string | undefined> {
    const { path } = this.#options;
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true });
    const stamp = [dev, ino, size, mtimeNs, ctimeNs].join();
    if (stamp === this.#stamp) return undefined;
    this.#stamp = undefined;
    if (size > FILE_BYTES_MAX) throw new Error(`is larger than ${FILE_BYTES_MAX} bytes`);
    const text = await readFile(path, 'utf8');
    if (Date.now() - Number(ctimeMs) > SETTLED_MS) this.#stamp = stamp;
    return text;
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

/** More would block everything else for seconds while it is read. */
const FILE_BYTES_MAX = 16 * 1024 ** 2;
/** Two versions can have the same times within the tick of a file system. */
const SETTLED_MS = 3000;

/** As it was when it was read first. */
export interface ReadFile {
  readonly path: string;
  readonly text: string;
}

/** Throws an Error that says by which code it cannot be read, or that it is too large. */
export function readTextFile(path: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > FILE_BYTES_MAX) throw new Error(`is larger than ${FILE_BYTES_MAX} bytes`);
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
