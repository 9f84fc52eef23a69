// The keys of HISTORY_KEYS_FILE: `{"current": "k2", "keys": {"k1": "<base64, 32 bytes>", "k2": …}}`. What is wrong with them is
// told by their ids; a key itself is never repeated.

import { statSync } from 'node:fs';
import type { Environment } from './environment.ts';
import { type ReadFile, readTextFile } from './watched-file.ts';

export interface HistoryKeys {
  /** Wraps the keys of new sessions. */
  readonly current: string;
  /** By id, 32 bytes each; `current` among them. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
}

export interface HistoryKeysFile extends HistoryKeys, ReadFile {
  /** Everybody on the machine can read the file. */
  readonly isOpenToAll: boolean;
}

export const KEY_BYTES = 32;
/** What an id may be. */
export const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const OTHERS_READ = 0o004;

/** `undefined` when no file is named. What is wrong is added to `problems`. */
export function readHistoryKeys(env: Environment, problems: string[]): HistoryKeysFile | undefined {
  const path = env.HISTORY_KEYS_FILE;
  if (path === undefined) return undefined;
  try {
    const isOpenToAll = (statSync(path).mode & OTHERS_READ) !== 0;
    const text = readTextFile(path);
    return { ...parseHistoryKeys(text), path, text, isOpenToAll };
  } catch (error) {
    const reason = error instanceof HistoryKeysError ? error.message : `the file ${path} cannot be read`;
    problems.push(`HISTORY_KEYS_FILE: ${reason}`);
    return undefined;
  }
}

export class HistoryKeysError extends Error {
  override readonly name = 'HistoryKeysError';
}

/** Fails with a HistoryKeysError that says what is wrong. */
export function parseHistoryKeys(text: string): HistoryKeys {
  const { current, keys: given } = fieldsIn(text);
  const keys = new Map(Object.entries(given).map(([id, value]) => [checkedId(id), bytesOf(id, value)]));
  // A name that is there twice would silently be the last one of both.
  if (namesIn(text) > 2 + keys.size) throw new HistoryKeysError('a name is there twice');
  if (keys.size === 0) throw new HistoryKeysError('"keys" holds no key');
  if (typeof current !== 'string' || !keys.has(current)) throw new HistoryKeysError('"current" names none of "keys"');
  const ids = new Map<string, string>();
  for (const [id, bytes] of keys) {
    const key = Buffer.from(bytes).toString('base64');
    const same = ids.get(key);
    if (same !== undefined) throw new HistoryKeysError(`${same} and ${id} are the same key`);
    ids.set(key, id);
  }
  return { current, keys };
}

function fieldsIn(text: string): { readonly current: unknown; readonly keys: object } {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new HistoryKeysError('is not JSON');
  }
  if (!isObject(content) || !isObject(content.keys) || Object.keys(content).length !== 2 || !('current' in content)) {
    throw new HistoryKeysError('has to be {"current": "<id>", "keys": {"<id>": "<base64, 32 bytes>"}}');
  }
  return { current: content.current, keys: content.keys };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkedId(id: string): string {
  if (KEY_ID.test(id)) return id;
  throw new HistoryKeysError('the id of a key has to be 1 to 32 letters, digits, "_" or "-"');
}

function bytesOf(id: string, value: unknown): Uint8Array {
  const bytes =
    typeof value === 'string' && /^[A-Za-z0-9+/]{43}=?$/.test(value) ? Buffer.from(value, 'base64') : undefined;
  if (bytes?.length !== KEY_BYTES) throw new HistoryKeysError(`${id} is not ${KEY_BYTES} bytes in base64`);
  return bytes;
}

/** Of all members, also of those that JSON.parse lets go. */
function namesIn(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*:/g)].length;
}
