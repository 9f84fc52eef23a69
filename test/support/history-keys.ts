// Files of history keys, as an operator writes them.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const newKey = (): string => randomBytes(32).toString('base64');

/** So that any test can be run with sealed contents: TEST_HISTORY_KEYS_FILE names a file of keys for all services. */
export function keysOfRun(): Readonly<Record<string, string>> {
  const { TEST_HISTORY_KEYS_FILE } = process.env;
  return TEST_HISTORY_KEYS_FILE ? { HISTORY_KEYS_FILE: TEST_HISTORY_KEYS_FILE } : {};
}

export class HistoryKeysFixture implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'csp-test-keys-'));
  readonly path = join(this.#folder, 'keys.json');
  readonly keys: Readonly<Record<string, string>> = { k1: newKey(), k2: newKey(), k3: newKey() };

  /** With one key, unless told otherwise. */
  constructor(current = 'k1', ids: readonly string[] = ['k1']) {
    this.write(current, ids);
  }

  write(current: string, ids: readonly string[]): void {
    const keys = Object.fromEntries(ids.map((id) => [id, this.keys[id]]));
    this.writeText(JSON.stringify({ current, keys }));
  }

  /** In the place of what was there, at once. */
  writeText(text: string, mode = 0o600): void {
    writeFileSync(`${this.path}.new`, text, { mode });
    renameSync(`${this.path}.new`, this.path);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
