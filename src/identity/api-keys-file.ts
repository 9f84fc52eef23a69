// `API_KEYS_FILE`: all keys in memory, as the newest readable version of the file has them.

import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { readTextFile, type WatchedFile } from '../config/watched-file.ts';
import { formatKeyFile, parseKeyFile } from './api-key-records.ts';
import type { ApiKeyStore } from './api-key-store.ts';
import type { ApiKey, ApiKeys } from './api-keys.ts';

export type KeysByDigest = ReadonlyMap<string, ApiKey>;

export function byDigest(keys: readonly ApiKey[]): KeysByDigest {
  return new Map(keys.map((key) => [key.sha256, key]));
}

export function apiKeysIn(file: WatchedFile<KeysByDigest>): ApiKeys {
  return { find: async (sha256) => file.value.get(sha256), close: () => file.close() };
}

/**
 * Keys are added to and removed from a file that is whole at every moment; it is made when it is missing. One at a time: who
 * comes meanwhile waits. Fails when the file would not belong to whom it belongs to, since the service could not read it then.
 */
export function apiKeyStoreIn(path: string): ApiKeyStore {
  const list = async () => {
    try {
      return existsSync(path) ? parseKeyFile(readTextFile(path)) : [];
    } catch (error) {
      throw new Error(`${path} ${error instanceof Error ? error.message : 'cannot be read'}`);
    }
  };
  const change = async (next: (keys: readonly ApiKey[]) => readonly ApiKey[]) => {
    // A link stays one: what it leads to is replaced.
    const place = existsSync(path) ? realpathSync(path) : path;
    const unlock = await lock(`${place}.lock`);
    try {
      replaceFile(place, formatKeyFile(next(await list())));
    } finally {
      unlock();
    }
  };
  return {
    list,
    add: (key) => change((keys) => [...keys, key]),
    remove: (digests) => change((keys) => keys.filter(({ sha256 }) => !digests.includes(sha256))),
    close: () => {},
  };
}

const LOCK_WAIT_MS = 10_000;
const LOCK_LOOK_MS = 20;

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
        throw new Error(`${path} is there: somebody changes the keys, or has died doing so; then remove it`);
      }
      await delay(LOCK_LOOK_MS);
    }
  }
}

/** For its owner alone, or as the file of before was. */
function replaceFile(path: string, text: string): void {
  const next = `${path}.${randomUUID()}.tmp`;
  const file = openSync(next, 'wx', 0o600);
  try {
    const before = statSync(path, { throwIfNoEntry: false });
    fchmodSync(file, before ? before.mode & 0o777 : 0o600);
    if (before && before.uid !== process.getuid?.()) fchownSync(file, before.uid, before.gid);
    writeSync(file, text);
    fsyncSync(file);
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
