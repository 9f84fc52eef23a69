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
  /** The home of its user, where Application Default Credentials may be. */
  readonly home: string;
  /** Ends the process; what it had logged. */
  end(): Promise<string>;
}

export type Environment = Readonly<Record<string, string>>;

/** `env` is all that the process has beside what every process needs; its home is empty. */
export async function startProcess(
  model: Upstream,
  env: Environment,
  firstEventTimeoutMs = 10_000,
  connectTimeoutMs = 5000,
): Promise<ServiceProcess> {
  const home = await mkdtemp(join(tmpdir(), 'csp-test-home-'));
  const script = join(import.meta.dirname, 'credentials-service.ts');
  const child = spawn(process.execPath, [script, model.url, String(firstEventTimeoutMs), String(connectTimeoutMs)], {
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
    home,
    end,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
      await rm(home, { recursive: true, force: true });
    },
  };
}

export const SUBJECT = 'eyJ.the-subject-token';

/** Files of credentials, in a folder that is removed. */
export interface AccountFile extends AsyncDisposable {
  readonly env: Environment;
  /** What the file holds. */
  readonly account: object;
}

async function writeAccount(accountFor: (subjectFile: string) => object): Promise<AccountFile> {
  const folder = await mkdtemp(join(tmpdir(), 'csp-test-adc-'));
  const [subject, file] = [join(folder, 'subject'), join(folder, 'adc.json')];
  const account = accountFor(subject);
  await writeFile(subject, SUBJECT);
  await writeFile(file, JSON.stringify(account));
  return {
    env: { GOOGLE_APPLICATION_CREDENTIALS: file, METADATA_SERVER_DETECTION: 'none' },
    account,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function external(tokens: Upstream, subjectFile: string): object {
  return {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${tokens.url}/v1/token`,
    credential_source: { file: subjectFile },
    quota_project_id: 'who-pays',
  };
}

/** An external account whose token service is `tokens`. */
export function externalAccount(tokens: Upstream): Promise<AccountFile> {
  return writeAccount((subjectFile) => external(tokens, subjectFile));
}

/** A service account that is impersonated by an external account; `tokens` serves the tokens of both. */
export function impersonatedAccount(tokens: Upstream): Promise<AccountFile> {
  return writeAccount((subjectFile) => ({
    type: 'impersonated_service_account',
    service_account_impersonation_url: `${tokens.url}/v1/projects/-/serviceAccounts/x@y.example:generateAccessToken`,
    // Undocumented; without it the library asks Google whatever the line above says.
    endpoint: tokens.url,
    source_credentials: external(tokens, subjectFile),
  }));
}
