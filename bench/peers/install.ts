// Installs what the peers need, into this folder and only when it is asked for: it is no part of the product.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
/** npm writes it last: without it, an installation has not come to its end. */
const MARK = fileURLToPath(new URL('./node_modules/.package-lock.json', import.meta.url));
/** Of what npm says, the end tells why. */
const OUTPUT_MAX = 2000;

export function install(): void {
  if (existsSync(MARK)) return;
  process.stdout.write('installing the peers (npm ci in bench/peers)\n');
  const { status, stderr, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`npm ci has failed: ${error?.message ?? stderr.slice(-OUTPUT_MAX)}`);
}
