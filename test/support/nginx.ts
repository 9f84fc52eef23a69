// A real nginx with the configuration of deploy/, byte for byte: only the two files beside it are the tests' own.

import { accessSync, constants } from 'node:fs';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { startGuarded } from './guarded-process.ts';
import { until } from './until.ts';

const CONFIGURATION = fileURLToPath(new URL('../../deploy/nginx.conf', import.meta.url));
const REPLICAS = fileURLToPath(new URL('../../deploy/nginx-replicas.conf', import.meta.url));
const TEMP_PATHS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** One line of its log: what it did with a request. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** The replicas that it was passed to, in this order. */
  readonly to: readonly string[];
}

export interface Nginx extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of the requests that are over. */
  exchanges(): Promise<readonly Exchange[]>;
}

/** `replicas`: as `http://host:port`. Fails when nginx is not installed. */
export async function startNginx(replicas: readonly string[]): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'csp-test-nginx-'));
  // Started by root it works as somebody else, who has to get in here.
  await chmod(folder, 0o755);
  const port = await freePort();
  await copyFile(CONFIGURATION, join(folder, 'nginx.conf'));
  await writeFile(join(folder, 'nginx-replicas.conf'), await serverLines(replicas));
  await writeFile(join(folder, 'nginx-site.conf'), siteOf(port, folder));
  const main = `daemon off; pid ${join(folder, 'nginx.pid')};`;
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr', '-g', main];
  const nginx = await startGuarded(programPath(), args, folder);
  const url = `http://127.0.0.1:${port}`;
  await until('nginx answers', async () => {
    if (nginx.hasExited) throw new Error(`nginx has ended:\n${nginx.output}`);
    // Its own answer, without any replica.
    return fetch(`${url}/metrics`).then(
      ({ status }) => status === 404,
      () => false,
    );
  });
  return {
    url,
    port,
    exchanges: async () => readExchanges(await readFile(join(folder, 'access.log'), 'utf8')),
    async [Symbol.asyncDispose]() {
      // SIGTERM is its fast shutdown: the workers go at once.
      await nginx.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** With the parameters that are recommended. */
async function serverLines(replicas: readonly string[]): Promise<string> {
  const [, parameters = ''] = /^server \S+( [^;]+);/m.exec(await readFile(REPLICAS, 'utf8')) ?? [];
  if (parameters === '') throw new Error('deploy/nginx-replicas.conf has no line to take the parameters from');
  return replicas.map((url) => `server ${new URL(url).host}${parameters};\n`).join('');
}

/** Its own folder for everything that the package puts where only root may write. */
function siteOf(port: number, folder: string): string {
  const temp = TEMP_PATHS.map((name) => `${name}_temp_path ${join(folder, name)};\n`).join('');
  return `listen 127.0.0.1:${port};\naccess_log ${join(folder, 'access.log')} exchanges;\n${temp}`;
}

function readExchanges(log: string): readonly Exchange[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, , method = '', path = '', status] = line.split(' ');
      const [, to = ''] = /to=(.*) answered=/.exec(line) ?? [];
      return { method, path, status: Number(status), to: to.split(', ') };
    });
}

/** Debian leaves the folders of servers out of the PATH of those who are not root. */
function programPath(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const besides = folders.filter((folder) => folder.endsWith('/bin')).map((folder) => folder.replace(/bin$/, 'sbin'));
  const found = [...folders, ...besides].map((folder) => join(folder, 'nginx')).find(isProgram);
  if (found === undefined) throw new Error('The tests need nginx on the PATH. See scripts/ensure-servers.js.');
  return found;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
