// A certificate authority of the tests' own, in a temporary folder, made with openssl (3.0 or newer).

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority extends AsyncDisposable {
  /** PEM; what a client has to trust. */
  readonly caFile: string;
  /** For a server that is reached by these names: `DNS:…`, `IP:…`. */
  issue(...names: readonly string[]): Promise<Certificate>;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

export async function startAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'csp-test-ca-'));
  const [caFile, caKey] = [join(folder, 'ca.pem'), join(folder, 'ca.key')];
  const request = (subject: string, certFile: string, keyFile: string, ...more: readonly string[]) =>
    run('openssl', [
      'req',
      '-x509',
      ...NEW_KEY,
      '-subj',
      `/CN=${subject}`,
      '-out',
      certFile,
      '-keyout',
      keyFile,
      ...more,
    ]);
  await request('an authority of the tests', caFile, caKey, '-addext', 'keyUsage=critical,keyCertSign');
  let issued = 0;
  return {
    caFile,
    async issue(...names) {
      issued += 1;
      const [certFile, keyFile] = [join(folder, `${issued}.pem`), join(folder, `${issued}.key`)];
      const extensions = [`subjectAltName=${names.join(',')}`, 'basicConstraints=critical,CA:FALSE'];
      const signed = ['-CA', caFile, '-CAkey', caKey, ...extensions.flatMap((extension) => ['-addext', extension])];
      await request('a server of the tests', certFile, keyFile, ...signed);
      return { certFile, keyFile };
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
