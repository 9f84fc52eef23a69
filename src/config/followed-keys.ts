// The file of the history keys while the service runs: what it may become, and what it may not.

import { type HistoryKeys, HistoryKeysError, type HistoryKeysFile, parseHistoryKeys } from './history-keys.ts';
import { FILE_LOOK_MS, WatchedFile } from './watched-file.ts';

export interface KeysListener {
  /** The file holds other keys than before. */
  readonly onKeys: (keys: HistoryKeys) => void;
  /** It cannot be used as it is now: what was read before goes on. */
  readonly onRefused: (reason: string) => void;
}

/** Until the returned function is called. */
export function followHistoryKeys(file: HistoryKeysFile, { onKeys, onRefused }: KeysListener): () => void {
  let known: HistoryKeys = file;
  const take = (keys: HistoryKeys) => {
    if (isSame(keys, known)) return;
    known = keys;
    onKeys(keys);
  };
  const watched = new WatchedFile({
    path: file.path,
    first: file.text,
    parse: (text) => withoutLoss(parseHistoryKeys(text), known),
    everyMs: FILE_LOOK_MS,
    onChange(error) {
      if (error === undefined) take(watched.value);
      else onRefused(error instanceof Error ? error.message : 'cannot be read');
    },
  });
  return () => watched.close();
}

/** Fails with a HistoryKeysError when sessions could not be read any more whose keys are being wrapped at this moment. */
function withoutLoss(next: HistoryKeys, known: HistoryKeys): HistoryKeys {
  if (!next.keys.has(known.current)) {
    throw new HistoryKeysError(`${known.current} is gone, which is current until now: first make another one current`);
  }
  for (const [id, bytes] of known.keys) {
    const now = next.keys.get(id);
    if (now && Buffer.compare(now, bytes) !== 0) {
      throw new HistoryKeysError(`${id} is another key than before: a new key needs a new id`);
    }
  }
  return next;
}

function isSame(one: HistoryKeys, other: HistoryKeys): boolean {
  return one.current === other.current && String([...one.keys.keys()]) === String([...other.keys.keys()]);
}
