// npm run keys, as an operator types it.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { uniquePrefix } from '../support/redis-stores.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'csp-keys-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

type Variables = Readonly<Record<string, string>>;

function keys(env: Variables, ...args: readonly string[]) {
  const command = ['--import', './scripts/require-node.js', 'src/keys.ts', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

const places: readonly [string, () => Variables][] = [
  ['a file', () => ({ API_KEYS_FILE: join(folder, 'keys.json') })],
  ['Redis', () => ({ REDIS_URL: inject('redisUrl'), REDIS_KEY_PREFIX: uniquePrefix() })],
];

describe.each(places)('in %s', (_where, place) => {
  test('a key is made, listed and revoked, and shown only once', () => {
    const env = place();
    const made = keys(env, 'create', '--owner', 'alice');
    const key = made.stdout.trim();
    expect(made.status).toBe(0);
    // 256 bits.
    expect(key).toMatch(/^csp_[A-Za-z0-9_-]{43}$/);
    keys(env, 'create', '--owner', 'bob', '--scopes', 'read', '--expires-in', '90d');
    const id = createHash('sha256').update(key).digest('hex').slice(0, 12);
    const { stdout } = keys(env, 'list');
    expect(stdout).toContain(`${id}\tchat\t`);
    expect(stdout).toMatch(/\tread\t\S+Z\t\S+Z\t"bob"/);
    expect(stdout).not.toContain(key);
    expect(keys(env, 'list', '--owner', 'bob').stdout).not.toContain('alice');
    expect(keys(env, 'revoke', id)).toMatchObject({ status: 0, stdout: `revoked ${id}, owner "alice"\n` });
    expect(keys(env, 'revoke', id)).toMatchObject({ status: 1, stderr: 'There is no such key.\n' });
    expect(keys(env, 'list').stdout).not.toContain('alice');
    expect(keys(env, 'revoke', '--owner', 'bob').status).toBe(0);
    expect(keys(env, 'list').stdout.trim().split('\n')).toHaveLength(1);
  });
});

test('the file is for its owner alone, and is left as it was when it cannot be read', () => {
  const file = join(folder, 'own.json');
  keys({}, 'create', '--owner', 'alice', '--file', file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  writeFileSync(file, 'not what it was');
  expect(keys({}, 'create', '--owner', 'bob', '--file', file)).toMatchObject({ status: 1, stdout: '' });
  expect(readFileSync(file, 'utf8')).toBe('not what it was');
});

test('whoever changes the file does so alone: nothing that was said is undone', async () => {
  const file = join(folder, 'contested.json');
  const id = createHash('sha256').update(keys({}, 'create', '--owner', 'first', '--file', file).stdout.trim());
  const run = (...args: readonly string[]) => {
    const command = ['--import', './scripts/require-node.js', 'src/keys.ts', ...args, '--file', file];
    const child = spawn(process.execPath, command, { cwd: root, env: {}, stdio: 'ignore' });
    return once(child, 'exit');
  };
  const creates = Array.from({ length: 6 }, (_, i) => run('create', '--owner', `owner-${i}`));
  const results = await Promise.all([...creates, run('revoke', id.digest('hex').slice(0, 12))]);
  expect(results.map(([code]) => code)).toEqual(Array(7).fill(0));
  const owners = JSON.parse(readFileSync(file, 'utf8')).map(({ owner }: { owner: string }) => owner);
  expect(owners.sort()).toEqual(Array.from({ length: 6 }, (_, i) => `owner-${i}`));
});

test('a file stays what it was to those who read it: its mode, and the link that leads to it', () => {
  const file = join(folder, 'real.json');
  const link = join(folder, 'link.json');
  writeFileSync(file, '[]', { mode: 0o640 });
  chmodSync(file, 0o640);
  symlinkSync(file, link);
  keys({}, 'create', '--owner', 'alice', '--file', link);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveLength(1);
});

test.each([
  ['what to do', []],
  ['a command that is known', ['destroy']],
  ['an owner', ['create']],
  ['scopes that are known', ['create', '--owner', 'a', '--scopes', 'raed']],
  ['a time', ['create', '--owner', 'a', '--expires-in', '0d']],
  ['one key to revoke', ['revoke']],
  ['an id', ['revoke', '']],
  ['scopes that are not empty', ['create', '--owner', 'a', '--scopes', '']],
  ['options that are known', ['list', '--all']],
])('without %s it says how it is used, and does nothing', (_what, args) => {
  const file = join(folder, 'untouched.json');
  const { status, stderr } = keys({}, ...args, '--file', file);
  expect(status).toBe(1);
  expect(stderr).toContain('Usage: npm run keys');
  expect(existsSync(file)).toBe(false);
});

test('what Redis refuses is told, and help is no mistake', () => {
  const { host } = new URL(inject('redisUrl'));
  const refused = keys({ REDIS_URL: `redis://nobody:wrong@${host}` }, 'list');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('WRONGPASS');
  expect(keys({}, '--help')).toMatchObject({ status: 0, stderr: '' });
});

test('without a place for keys it says which there are', () => {
  expect(keys({}, 'list').stderr).toContain('API_KEYS_FILE');
  const away = keys({ REDIS_URL: 'redis://127.0.0.1:1' }, 'list');
  expect(away).toMatchObject({ status: 1, stdout: '' });
  expect(away.stderr).toContain('cannot be reached');
});
