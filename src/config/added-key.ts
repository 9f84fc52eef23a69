// A new key in the file of the history keys: made here, written whole, and shown to nobody.

import { randomBytes } from 'node:crypto';
import { changeFile } from './changed-file.ts';
import { type HistoryKeys, HistoryKeysError, KEY_BYTES, KEY_ID, parseHistoryKeys } from './history-keys.ts';

export interface NewKey {
  /** The next number, when it is left out. */
  readonly id?: string | undefined;
  /** It wraps the keys of new sessions from now on. */
  readonly isCurrent: boolean;
}

/** A file that is not there is made, and its first key is current. Fails with a HistoryKeysError; what it can read stays then. */
export async function addHistoryKey(path: string, wish: NewKey): Promise<{ id: string; current: string }> {
  let added = { id: '', current: '' };
  await changeFile(path, (text) => {
    const known = text === undefined ? undefined : parseHistoryKeys(text);
    const id = wish.id ?? nextId(known);
    if (!KEY_ID.test(id)) throw new HistoryKeysError('the id of a key has to be 1 to 32 letters, digits, "_" or "-"');
    if (known?.keys.has(id)) throw new HistoryKeysError(`${id} is there already, and a key is never another one`);
    const keys = [...(known?.keys ?? []), [id, randomBytes(KEY_BYTES)] as const];
    added = { id, current: wish.isCurrent || !known ? id : known.current };
    const encoded = Object.fromEntries(keys.map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]));
    return `${JSON.stringify({ current: added.current, keys: encoded }, null, 2)}\n`;
  });
  return added;
}

function nextId(known: HistoryKeys | undefined): string {
  let number = 1;
  while (known?.keys.has(`k${number}`)) number += 1;
  return `k${number}`;
}
