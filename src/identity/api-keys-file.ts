// `API_KEYS_FILE`: all keys in memory, as the newest readable version of the file has them.

import { chmodSync, existsSync, renameSync, writeFileSync } from 'node:fs';
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

/** Keys are added to and removed from a file that is whole at every moment; it is made when it is missing. */
export function apiKeyStoreIn(path: string): ApiKeyStore {
  const list = async () => (existsSync(path) ? parseKeyFile(readTextFile(path)) : []);
  const write = (keys: readonly ApiKey[]) => {
    const next = `${path}.${process.pid}.tmp`;
    writeFileSync(next, formatKeyFile(keys), { mode: 0o600, flag: 'wx' });
    // Whatever the umask is: nobody else has to know who may call.
    chmodSync(next, 0o600);
    renameSync(next, path);
  };
  return {
    list,
    add: async (key) => write([...(await list()), key]),
    remove: async (sha256) => write((await list()).filter((key) => key.sha256 !== sha256)),
    close: () => {},
  };
}
