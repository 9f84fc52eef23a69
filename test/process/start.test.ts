// Starting: what a stranger sees, what is refused, how long it takes.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commandOf, spawnService } from '../support/spawned-service.ts';
import { until } from '../support/until.ts';

/** What curl does with such a command; not every machine has it. */
async function likeCurl(command: string): Promise<string> {
  const [, url = ''] = /(http:\/\/\S+)/.exec(command) ?? [];
  const [, name = '', value = ''] = /-H '([^:]+): ([^']+)'/.exec(command) ?? [];
  const [, body] = /-d '([^']+)'/.exec(command) ?? [];
  const sent = body === undefined ? {} : { method: 'POST', body, headers: { [name]: value } };
  return (await fetch(url, { ...sent, headers: { accept: '*/*', ...('headers' in sent ? sent.headers : {}) } })).text();
}

test('the banner says what answers and what keeps, and its commands work as printed', async () => {
  await using service = await spawnService();
  // It answers sooner than what it prints comes through the pipe.
  await until('the banner has been printed', () => service.process.output.includes('/messages\n'));
  expect(service.process.output).toContain('built-in emulator answers');
  expect(service.process.output).toContain("THIS PROCESS'S MEMORY");
  const commands = service.process.output.match(/^ {2}curl .*$/gm) ?? [];
  const outputs: string[] = [];
  for (const command of commands) outputs.push(await likeCurl(command));
  const [session = '', answer = '', stream = '', history = ''] = outputs;
  expect(JSON.parse(session)).toMatchObject({ id: 'first', context: 'You are terse.' });
  expect(JSON.parse(answer)).toMatchObject({ state: 'COMMITTED' });
  expect(stream.trimEnd()).toMatch(/event: turn\.committed\ndata: .*$/);
  expect(JSON.parse(history).messages.length).toBe(4);
});

test('the commands that README.md prints are those of the banner', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  await using service = await spawnService();
  const printed = (service.process.output.match(/^ {2}curl .*$/gm) ?? []).map((line) =>
    line.trim().replace(service.url, 'localhost:8080'),
  );
  expect(printed.length).toBe(4);
  expect(printed.filter((command) => !readme.includes(command))).toEqual([]);
});

test('it is ready soon', async () => {
  await using service = await spawnService();
  // The aim is 1.5 s; a test machine may be busy.
  expect(service.readyMs).toBeLessThan(5000);
});

function refused(variables: Readonly<Record<string, string>>): string {
  const [command, args] = commandOf(variables);
  const { status, stderr, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000 });
  expect(status).toBe(1);
  expect(stdout).toBe('');
  return stderr;
}

test('in production nothing is tried out: every missing variable is named at once', () => {
  const message = refused({ NODE_ENV: 'production', HOST: '0.0.0.0' });
  for (const name of ['REDIS_URL', 'GOOGLE_CLOUD_PROJECT', 'GEMINI_API_KEY', 'AUTH']) expect(message).toContain(name);
});

test('every bad value is named at once, and no secret is repeated', () => {
  const message = refused({
    PORT: 'abc',
    REDIS_URL: 'redis://user:secret-word@',
    LEASE_MS: '-1',
    MODEL_BACKEND: 'magic',
    DEFAULT_MODEL: '../x?',
  });
  for (const name of ['PORT', 'REDIS_URL', 'LEASE_MS', 'MODEL_BACKEND', 'DEFAULT_MODEL'])
    expect(message).toContain(name);
  expect(message).not.toContain('secret-word');
});

test('a port that is taken is said by name', async () => {
  await using service = await spawnService();
  const { port } = new URL(service.url);
  const [command, args] = commandOf({ PORT: port });
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000 });
  expect(status).toBe(1);
  expect(stderr).toBe(`Cannot listen on HOST=127.0.0.1 PORT=${port}: EADDRINUSE\n`);
});

test('an address that others can reach needs AUTH written out', () => {
  expect(refused({ HOST: '0.0.0.0' })).toContain('AUTH');
  expect(refused({ AUTH: 'jwt' })).toContain('JWT_ISSUER is missing');
});

test('a file of keys that cannot be read is refused', () => {
  expect(refused({ HISTORY_KEYS_FILE: '/keys.json' })).toContain('HISTORY_KEYS_FILE');
});

test('a signal that comes while the service is still loading ends it with 0', async () => {
  const preload = new URL('../../scripts/require-node.js', import.meta.url).pathname;
  const loading = "process.stdout.write('loading'); setInterval(() => {}, 1000)";
  const child = spawn(process.execPath, ['--import', preload, '--eval', loading], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
});

test('an old Node is told which one is needed', () => {
  const check = new URL('../../scripts/require-node.js', import.meta.url).pathname;
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } }); import('${check}')`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', pretend], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('needs Node 24 or newer');
});
