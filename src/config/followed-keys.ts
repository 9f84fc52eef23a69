// The file of the history keys, read again while the service runs. It is compared as a whole, so that it does not matter how it
// was replaced.

import { readFile } from 'node:fs/promises';
import { type HistoryKeys, HistoryKeysError, type HistoryKeysFile, parseHistoryKeys } from './history-keys.ts';

/** A change is to count within 5 s. */
const REREAD_MS = 2000;

export interface KeysListener {
  /** The file holds other keys than before. */
  readonly onKeys: (keys: HistoryKeys) => void;
  /** It cannot be used as it is now: what was read before goes on. Once for each thing that is wrong with it. */
  readonly onRefused: (reason: string) => void;
}

/** Until the returned function is called. */
export function followHistoryKeys(file: HistoryKeysFile, { onKeys, onRefused }: KeysListener): () => void {
  let known: HistoryKeys = file;
  let refused: string | undefined;
  const reread = async () => {
    const read = await usable(file.path, known);
    if ('reason' in read) {
      if (read.reason !== refused) onRefused(read.reason);
      refused = read.reason;
      return;
    }
    refused = undefined;
    if (isSame(read, known)) return;
    known = read;
    onKeys(read);
  };
  const timer = setInterval(() => void reread(), REREAD_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function usable(path: string, known: HistoryKeys): Promise<HistoryKeys | { readonly reason: string }> {
  try {
    const keys = parseHistoryKeys(await readFile(path, 'utf8'));
    const reason = lossOf(keys, known);
    return reason === undefined ? keys : { reason };
  } catch (error) {
    return { reason: error instanceof HistoryKeysError ? error.message : 'the file cannot be read' };
  }
}

/** Why sessions could not be read any more whose keys are being wrapped at this moment. */
function lossOf({ keys }: HistoryKeys, known: HistoryKeys): string | undefined {
  if (!keys.has(known.current))
    return `${known.current} is gone, which is current until now: first make another one current`;
  const changed = [...known.keys].find(([id, bytes]) => {
    const now = keys.get(id);
    return now && Buffer.compare(now, bytes) !== 0;
  });
  return changed && `${changed[0]} is another key than before: a new key needs a new id`;
}

function isSame(one: HistoryKeys, other: HistoryKeys): boolean {
  return one.current === other.current && String([...one.keys.keys()]) === String([...other.keys.keys()]);
}
