// A new key in the file of the history keys: made here, written whole, and shown to nobody.

import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { type HistoryKeys, HistoryKeysError, KEY_BYTES, KEY_ID, parseHistoryKeys } from './history-keys.ts';

export interface NewKey {
  /** The next number, when it is left out. */
  readonly id?: string | undefined;
  /** It wraps the keys of new sessions from now on. */
  readonly isCurrent: boolean;
}

/**
 * The file is made when it is not there (mode 0600; its first key is current), or replaced at once, with its owner and mode.
 * Fails with a HistoryKeysError.
 */
export function addHistoryKey(path: string, { id: given, isCurrent }: NewKey): { id: string; current: string } {
  const known = readKnown(path);
  const id = given ?? nextId(known);
  if (!KEY_ID.test(id)) throw new HistoryKeysError('the id of a key has to be 1 to 32 letters, digits, "_" or "-"');
  if (known?.keys.has(id)) throw new HistoryKeysError(`${id} is there already, and a key is never another one`);
  const keys = [...(known?.keys ?? []), [id, randomBytes(KEY_BYTES)] as const];
  const current = isCurrent || !known ? id : known.current;
  const encoded = Object.fromEntries(keys.map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]));
  replaceFile(path, `${JSON.stringify({ current, keys: encoded }, null, 2)}\n`);
  return { id, current };
}

function readKnown(path: string): HistoryKeys | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new HistoryKeysError(`the file ${path} cannot be read`);
  }
  return parseHistoryKeys(text);
}

function nextId(known: HistoryKeys | undefined): string {
  let number = 1;
  while (known?.keys.has(`k${number}`)) number += 1;
  return `k${number}`;
}

/** Whoever reads it at this moment sees the one or the other, never half of it. */
function replaceFile(path: string, text: string): void {
  const before = statSync(path, { throwIfNoEntry: false });
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  const file = openSync(beside, 'wx', before ? before.mode & 0o777 : 0o600);
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  if (before) chownSync(beside, before.uid, before.gid);
  renameSync(beside, path);
}
