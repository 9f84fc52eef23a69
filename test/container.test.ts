// The image without a container engine: what the Dockerfile copies, and it alone, is laid into a folder and run with the
// Dockerfile's own command and environment. And what docker-compose.yml says to the service.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { VARIABLES } from '../src/config/environment.ts';
import { loadConfig } from '../src/config.ts';
import { type Emulator, startEmulator } from '../src/emulator/server.ts';
import { Client } from './support/client.ts';
import { freePort } from './support/free-port.ts';
import { startGuarded } from './support/guarded-process.ts';
import { uniquePrefix } from './support/redis-stores.ts';
import { statusOf } from './support/spawned-service.ts';
import { until } from './support/until.ts';

type Variables = Readonly<Record<string, string>>;

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const INSTRUCTIONS = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '');
const STAGES = INSTRUCTIONS.join('\n').split(/^(?=FROM )/m);
const LAST = STAGES.at(-1) ?? '';
const COMMAND = wordsAfter(/^CMD /m);
const HEALTHCHECK = wordsAfter(/^HEALTHCHECK .*?CMD /m);
const ENVIRONMENT = Object.fromEntries(
  [...(/^ENV (.*)$/m.exec(LAST)?.[1] ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
);

/** The exec form. */
function wordsAfter(start: RegExp): readonly string[] {
  const found = start.exec(LAST);
  if (!found) throw new Error(`the last stage has no ${start.source}`);
  const [line = ''] = LAST.slice(found.index + found[0].length).split('\n');
  return JSON.parse(line) as readonly string[];
}

/** What comes from the checkout, not from another stage. */
function copied(): readonly string[] {
  const [stage = ''] = STAGES.filter((text) => text.startsWith('FROM base AS sources'));
  return [...stage.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
}

/** As `npm ci --omit=dev --omit=optional` would install: what only development has is not found. */
function linkPackages(folder: string): void {
  type Entry = { readonly dev?: boolean; readonly optional?: boolean; readonly devOptional?: boolean };
  const lock = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Entry>> };
  for (const [path, { dev, optional, devOptional }] of Object.entries(lock.packages)) {
    if (dev || optional || devOptional || !/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path)) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(root, path), join(folder, path));
  }
}

let image: string;
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
  image = mkdtempSync(join(tmpdir(), 'csp-test-image-'));
  for (const path of copied()) cpSync(join(root, path), join(image, path), { recursive: true });
  linkPackages(image);
});
afterAll(async () => {
  rmSync(image, { recursive: true, force: true });
  await emulator.close();
});

function inImage([, ...args]: readonly string[], variables: Variables): readonly [string, readonly string[]] {
  const pairs = Object.entries({ ...ENVIRONMENT, ...variables }).map(([name, value]) => `${name}=${value}`);
  return ['env', ['-C', image, '-i', ...pairs, process.execPath, ...args]];
}

function run(command: readonly string[], variables: Variables) {
  return spawnSync(...inImage(command, variables), { encoding: 'utf8', timeout: 15_000 });
}

test('what the image holds answers, is healthy, and ends with 0 on SIGTERM', { timeout: 60_000 }, async () => {
  const PORT = String(await freePort());
  const [command, args] = inImage(COMMAND, {
    ...{ HOST: '127.0.0.1', PORT, AUTH: 'none', DEFAULT_MODEL: 'emulator', VERTEX_AI_EMULATOR_HOST: emulator.address },
    ...{ REDIS_URL: inject('redisUrl'), REDIS_KEY_PREFIX: uniquePrefix() },
  });
  const service = await startGuarded(command, args, image);
  const client = new Client(`http://127.0.0.1:${PORT}`);
  await until('the image is ready', async () => {
    if (service.hasExited) throw new Error(`the image has ended:\n${service.output}`);
    return (await statusOf(`${client.url}/readyz`)) === 200;
  });
  const stream = await client.stream(await client.session(), { message: 'Hello' }).done();
  expect(stream.terminal?.event).toBe('turn.committed');
  expect((await client.get('/openapi.yaml')).text).toBe(read('openapi.yaml'));
  // It says nothing that grows the log of the engine.
  expect(run(HEALTHCHECK, { PORT })).toMatchObject({ status: 0, stdout: '', stderr: '' });
  await service.end();
  expect(service.exitCode).toBe(0);
  expect(run(HEALTHCHECK, { PORT })).toMatchObject({ status: 1, stdout: '', stderr: '' });
});

test('the image says neither who may come in, nor where the store and the model are', () => {
  const { status, stderr } = run(COMMAND, {});
  expect(status).toBe(1);
  for (const name of ['AUTH', 'REDIS_URL', 'GOOGLE_CLOUD_PROJECT', 'GEMINI_API_KEY']) expect(stderr).toContain(name);
});

test('the image does not run as root, by a number that an orchestrator can check', () => {
  expect(/^USER (.*)$/m.exec(LAST)?.[1]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
});

test('the image begins with nothing, so that no shell and no package manager is in it', () => {
  expect(LAST).toMatch(/^FROM scratch\n/);
  expect(LAST).not.toMatch(/^(RUN|SHELL|ADD) /m);
  expect(INSTRUCTIONS.filter((line) => line.startsWith('FROM ')).slice(1)).toEqual([
    ...['FROM base AS dependencies', 'FROM base AS sources', 'FROM base AS system'],
    'FROM scratch',
  ]);
});

test('what is copied is sent to the builder', () => {
  const sent = read('.dockerignore').match(/^!.*$/gm);
  expect(copied().every((path) => existsSync(join(root, path)))).toBe(true);
  expect(sent?.map((line) => line.slice(1)).sort()).toEqual([...copied(), 'package-lock.json'].sort());
});

interface Composed {
  readonly environment?: Variables;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
}

const COMPOSE = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Composed>>;
};
const { service = {}, emulator: standIn = {}, redis: store = {} } = COMPOSE.services;

/** What `docker compose up` makes of `${NAME-default}` when nobody has set anything. */
function defaultsOf({ environment = {} }: Composed): Variables {
  const unset = (value: string) => value.replaceAll(/\$\{\w+-([^}]*)\}/g, '$1');
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, unset(value)]));
}

const DEFAULTS = defaultsOf(service);

test('docker-compose.yml sets only what the service knows, and that is enough to start', () => {
  // The one that google-auth-library reads itself.
  const names = Object.keys(DEFAULTS).filter((name) => name !== 'GOOGLE_APPLICATION_CREDENTIALS');
  expect(names.filter((name) => !VARIABLES.includes(name))).toEqual([]);
  const { backend, redis, env } = loadConfig({ ...ENVIRONMENT, ...DEFAULTS });
  expect(redis?.target).toEqual({ kind: 'single', address: { host: 'redis', port: 6379 }, db: 0 });
  const port = standIn.command?.at(-1);
  expect(backend).toMatchObject({ kind: 'emulator', address: `emulator:${port}` });
  // Two more than the process itself gives up after.
  expect(Number.parseInt(service.stop_grace_period ?? '', 10) * 1000).toBeGreaterThanOrEqual(env.DRAIN_MS + 6000);
});

test('docker-compose.yml gives no container anything to gain', () => {
  const all = Object.values(COMPOSE.services);
  expect(all).toHaveLength(3);
  for (const container of all) {
    expect(container).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  }
});

test('the Redis of docker-compose.yml lets in the service alone, and only to what it needs', async () => {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'csp-test-compose-'));
  const line = `${store.command?.at(-1)} --port ${port} --bind 127.0.0.1 --dir ${folder}`
    .replaceAll('$$', () => '$')
    .replaceAll('/etc/redis-users.acl', join(root, 'deploy/redis-users.acl'))
    .replaceAll('/tmp/users.acl', join(folder, 'users.acl'));
  const pairs = Object.entries(defaultsOf(store)).map(([name, value]) => `${name}=${value}`);
  const redis = await startGuarded('env', [...pairs, 'sh', '-c', line], folder);
  const { username = '', password = '' } = loadConfig({ ...ENVIRONMENT, ...DEFAULTS }).redis ?? {};
  const service = new Redis(port, '127.0.0.1', { username, password });
  const stranger = new Redis(port, '127.0.0.1');
  for (const client of [service, stranger]) client.on('error', () => undefined);
  await until('the service is let in', async () => (await service.ping().catch(() => '')) === 'PONG');
  await expect(service.config('GET', '*')).rejects.toThrow(/NOPERM/);
  await expect(stranger.ping()).rejects.toThrow(/NOAUTH/);
  for (const client of [service, stranger]) client.disconnect();
  await redis.end();
  rmSync(folder, { recursive: true, force: true });
});

test('docker-compose.yml publishes the service alone, and to this machine only', () => {
  const published = Object.entries(COMPOSE.services).flatMap(([name, { ports = [] }]) => ports.map((at) => [name, at]));
  expect(published).toEqual([['service', '127.0.0.1:8080:8080']]);
  // docker-compose 1.29 knows no `name`, and Compose v2 warns of `version`.
  expect(Object.keys(COMPOSE).filter((key) => key === 'name' || key === 'version')).toEqual([]);
});
