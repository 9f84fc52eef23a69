// `API_KEYS_FILE`: all keys in memory, as the newest readable version of the file has them.

import { existsSync } from 'node:fs';
import { changeFile, named } from '../config/changed-file.ts';
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

/** For commands: the file is made when it is missing, and changed by one at a time. */
export function apiKeyStoreIn(path: string): ApiKeyStore {
  const change = (next: (keys: readonly ApiKey[]) => readonly ApiKey[]) =>
    changeFile(path, (text) => formatKeyFile(next(text === undefined ? [] : parseKeyFile(text))));
  return {
    list: async () => (existsSync(path) ? named(path, () => parseKeyFile(readTextFile(path))) : []),
    add: (key) => change((keys) => [...keys, key]),
    remove: (digests) => change((keys) => keys.filter(({ sha256 }) => !digests.includes(sha256))),
    close: () => {},
  };
}
