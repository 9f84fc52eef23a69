// The same tests with identities: `TEST_AUTH=api-key` starts every service that says nothing of its own with API keys, and
// every client that says nothing sends one. What such a service does is the same, or it is wrong.

import { createHash, randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
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

/** One for all runs: workers are ended without a chance to take anything away. */
function writeKeyFile(): string {
  const path = join(tmpdir(), `csp-test-auth-${process.getuid?.()}.json`);
  const sha256 = createHash('sha256').update(KEY).digest('hex');
  const next = `${path}.${randomUUID()}`;
  writeFileSync(next, JSON.stringify([{ owner: 'anyone', sha256 }]));
  renameSync(next, path);
  return path;
}
