// A process of the service with an environment of its own, and the file of an external account for it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '../support/client.ts';
import { until } from '../support/until.ts';
import type { Upstream } from '../support/upstream.ts';

export interface ServiceProcess extends AsyncDisposable {
  readonly client: Client;
  /** Ends the process; what it had logged. */
  end(): Promise<string>;
}

export type Environment = Readonly<Record<string, string>>;

/** `env` is all that the process has beside what every process needs; its home is empty. */
export async function startProcess(
  model: Upstream,
  env: Environment,
  firstEventTimeoutMs = 10_000,
): Promise<ServiceProcess> {
  const home = await mkdtemp(join(tmpdir(), 'csp-test-home-'));
  const script = join(import.meta.dirname, 'credentials-service.ts');
  const child = spawn(process.execPath, [script, model.url, String(firstEventTimeoutMs)], {
    env: { PATH: process.env.PATH ?? '', HOME: home, GOOGLE_CLOUD_PROJECT: 'p', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  const read = once(reader, 'close');
  reader.on('line', (line) => lines.push(line));
  const url: string = await until('the process listens', () => lines[0] ?? (child.exitCode === null ? '' : 'it died'));
  const end = async () => {
    child.stdin.end();
    await exit;
    await read;
    return lines.slice(1).join('\n');
  };
  return {
    client: new Client(url),
    end,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
      await rm(home, { recursive: true, force: true });
    },
  };
}

export const SUBJECT = 'eyJ.the-subject-token';

/** The file of an external account, in a folder that is removed. */
export async function externalAccount(tokens: Upstream): Promise<AsyncDisposable & { readonly env: Environment }> {
  const folder = await mkdtemp(join(tmpdir(), 'csp-test-adc-'));
  const [subject, file] = [join(folder, 'subject'), join(folder, 'adc.json')];
  await writeFile(subject, SUBJECT);
  const account = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${tokens.url}/v1/token`,
    credential_source: { file: subject },
    quota_project_id: 'who-pays',
  };
  await writeFile(file, JSON.stringify(account));
  return {
    env: { GOOGLE_APPLICATION_CREDENTIALS: file, METADATA_SERVER_DETECTION: 'none' },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
