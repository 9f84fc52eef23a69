// A file that commands change while services read it: whole at every moment, and changed by one at a time.

import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { readTextFile } from './watched-file.ts';

const LOCK_WAIT_MS = 10_000;
const LOCK_LOOK_MS = 20;

/**
 * What `next` makes of its text takes its place; `undefined` is a file that is not there, and is made for its owner alone. Who
 * comes meanwhile waits, so that no change undoes another. A link stays one, and owner and mode stay what they were: it fails
 * when they cannot, since the service could not read the file then. What `next` throws leaves everything as it was.
 */
export async function changeFile(path: string, next: (text: string | undefined) => string): Promise<void> {
  const place = isThere(path) ? realpathSync(path) : path;
  const unlock = await lock(`${place}.lock`);
  try {
    const text = isThere(place) ? named(path, () => readTextFile(place)) : undefined;
    replace(
      place,
      named(path, () => next(text)),
    );
  } finally {
    unlock();
  }
}

/** What is wrong with a file is said with its name. */
export function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function lock(path: string): Promise<() => void> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      closeSync(openSync(path, 'wx', 0o600));
      return () => rmSync(path, { force: true });
    } catch (error) {
      const isHeld = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isHeld) throw error;
      if (performance.now() > deadline) {
        throw new Error(`${path} is there: somebody changes the file, or has died doing so; then remove it`);
      }
      await delay(LOCK_LOOK_MS);
    }
  }
}

function replace(path: string, text: string): void {
  const beside = `${path}.${randomUUID()}.tmp`;
  const file = openSync(beside, 'wx', 0o600);
  try {
    const before = statSync(path, { throwIfNoEntry: false });
    if (before) fchmodSync(file, before.mode & 0o777);
    if (before && before.uid !== process.getuid?.()) fchownSync(file, before.uid, before.gid);
    writeFileSync(file, text);
    fsyncSync(file);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
