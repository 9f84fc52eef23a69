// The same tests with identities: `TEST_AUTH=api-key` starts every service that says nothing of its own with API keys, and
// every client that says nothing sends one. What such a service does is the same, or it is wrong.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Texts = Readonly<Record<string, string>>;

const KEY = 'csp_key-of-the-tests';
const isOn = process.env.TEST_AUTH === 'api-key';

let keyFile: string | undefined;

/** The environment of a service, with identities when the run is one of those. */
export function withTestIdentity(env: Texts): Texts {
  if (!isOn || env.AUTH !== undefined) return env;
  keyFile ??= writeKeyFile();
  return { ...env, AUTH: 'api-key', API_KEYS_FILE: keyFile };
}

/** What a client sends that says nothing of its own. */
export function testIdentity(headers: Texts): Texts {
  const says = Object.keys(headers).some((name) => ['authorization', 'x-api-key'].includes(name.toLowerCase()));
  return isOn && !says ? { 'x-api-key': KEY } : {};
}

function writeKeyFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'csp-test-keys-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'keys.json');
  const sha256 = createHash('sha256').update(KEY).digest('hex');
  writeFileSync(path, JSON.stringify([{ owner: 'anyone', sha256 }]));
  return path;
}
