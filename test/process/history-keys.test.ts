// npm run history-keys: a new key in the file, and all sessions of a Redis from one key to the next.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sessionKeys } from '../../src/adapters/redis/keys.ts';
import { Client } from '../support/client.ts';
import { HistoryKeysFixture } from '../support/history-keys.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type RunningService, startService } from '../support/service.ts';
import { until } from '../support/until.ts';

const ROOT = join(import.meta.dirname, '../..');

let file: HistoryKeysFixture;
beforeEach(() => {
  file = new HistoryKeysFixture();
});
afterEach(() => file[Symbol.dispose]());

function command(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const all = ['--import', join(ROOT, 'scripts/require-node.js'), join(ROOT, 'src/history-keys.ts'), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, {
    encoding: 'utf8',
    timeout: 15_000,
    env: { PATH: process.env.PATH ?? '', HOME: tmpdir(), HISTORY_KEYS_FILE: file.path, ...env },
  });
  return { status, lines: stdout.split('\n').filter((line) => line !== ''), stderr };
}

const contentsOf = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

describe('create', () => {
  test('makes a file that only its owner can read, with one key', () => {
    const path = join(dirname(file.path), 'new.json');
    const { status, lines, stderr } = command(['create'], { HISTORY_KEYS_FILE: path });
    expect([status, lines, stderr]).toEqual([0, [`k1 is in ${path}. The current key is k1.`], '']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { current, keys } = contentsOf(path);
    expect([current, Object.keys(keys), Buffer.from(keys.k1, 'base64').length]).toEqual(['k1', ['k1'], 32]);
    expect(readdirSync(dirname(path)).sort()).toEqual(['keys.json', 'new.json']);
  });

  test('loses no key when several are made at once', async () => {
    const script = [join(ROOT, 'scripts/require-node.js'), join(ROOT, 'src/history-keys.ts')] as const;
    const exits = Array.from({ length: 6 }, (_, i) => {
      const args = ['--import', ...script, 'create', '--id', `n${i}`];
      return once(spawn(process.execPath, args, { env: { HISTORY_KEYS_FILE: file.path }, stdio: 'ignore' }), 'exit');
    });
    expect((await Promise.all(exits)).map(([code]) => code)).toEqual(Array(6).fill(0));
    expect(Object.keys(contentsOf(file.path).keys).sort()).toEqual(['k1', 'n0', 'n1', 'n2', 'n3', 'n4', 'n5']);
  });

  test('leaves a link where it is, and what it leads to is changed', () => {
    const link = join(dirname(file.path), 'link.json');
    symlinkSync(file.path, link);
    expect(command(['create', '--file', link]).status).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(Object.keys(contentsOf(file.path).keys)).toEqual(['k1', 'k2']);
  });

  test('adds a key to those that are there, which stay as they are, and shows none', () => {
    chmodSync(file.path, 0o640);
    const { lines } = command(['create']);
    expect(lines).toEqual([`k2 is in ${file.path}. The current key is k1.`]);
    const { current, keys } = contentsOf(file.path);
    expect([current, Object.keys(keys), keys.k1]).toEqual(['k1', ['k1', 'k2'], file.keys.k1]);
    expect(statSync(file.path).mode & 0o777).toBe(0o640);
    expect(lines.join()).not.toContain(keys.k2);
    expect(command(['create', '--id', 'in-2027', '--current']).lines[0]).toContain('The current key is in-2027.');
    expect(contentsOf(file.path).current).toBe('in-2027');
  });

  test.each([
    [['create', '--id', 'k1'], 'k1 is there already'],
    [['create', '--id', 'a b'], 'the id of a key'],
    [['create', '--idd', 'a'], 'Usage'],
    [['creates'], 'Usage'],
    [[], 'Usage'],
  ])('%j is refused, and changes nothing', (args, said) => {
    const before = readFileSync(file.path, 'utf8');
    const { status, lines, stderr } = command(args);
    expect([status, lines]).toEqual([1, []]);
    expect(stderr).toContain(said);
    expect(readFileSync(file.path, 'utf8')).toBe(before);
  });

  test('does not touch a file that holds something else, and needs one to be named', () => {
    file.writeText('{"current":"k1"}');
    expect(command(['create'])).toMatchObject({ status: 1, lines: [] });
    expect(readFileSync(file.path, 'utf8')).toBe('{"current":"k1"}');
    expect(command(['create'], { HISTORY_KEYS_FILE: '' }).stderr).toContain('HISTORY_KEYS_FILE');
    const path = join(dirname(file.path), 'other.json');
    command(['create', '--file', path]);
    expect(existsSync(path)).toBe(true);
  });
});

describe('status and rewrap', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    const client = server.client();
    await client.flushall();
    client.disconnect();
  });

  async function withService<T>(
    env: Readonly<Record<string, string>>,
    use: (client: Client, service: RunningService) => Promise<T>,
  ): Promise<T> {
    await using service = await startService({ REDIS_URL: server.url, ...env });
    const client = new Client(service.url);
    await until('it is ready', async () => (await client.get('/readyz')).status === 200);
    return await use(client, service);
  }

  const sealed = () => ({ HISTORY_KEYS_FILE: file.path });
  const run = (name: string) => command([name], { REDIS_URL: server.url });

  test('take all sessions from one key to the next, which can be removed then', async () => {
    const paths = await withService(sealed(), async (client) => {
      const made: string[] = [];
      for (let i = 0; i < 3; i += 1) {
        const path = await client.session({ displayName: `of k1, ${i}` });
        await client.post(`${path}/messages`, { message: 'hello' });
        made.push(path);
      }
      return made;
    });
    expect(run('status')).toMatchObject({ status: 0, lines: ['k1: 3 sessions (current)'] });
    file.write('k2', ['k1', 'k2']);
    expect(run('status').lines).toEqual(['k1: 3 sessions', 'k2: 0 sessions (current)']);
    const unused = 'k1: 0 sessions (not in use: it may be removed, see docs/encryption.md)';
    expect(run('rewrap')).toMatchObject({ status: 0, lines: ['rewrapped: 3', unused, 'k2: 3 sessions (current)'] });
    expect(run('rewrap').lines).toEqual(['rewrapped: 0', unused, 'k2: 3 sessions (current)']);
    file.write('k2', ['k2']);
    await withService(sealed(), async (client) => {
      for (const [i, path] of paths.entries()) {
        expect((await client.get(path)).json).toMatchObject({ displayName: `of k1, ${i}`, version: 2 });
        expect(await client.history(path)).toHaveLength(2);
      }
    });
  });

  test('name what cannot be read and what is not sealed, and leave both as they are', async () => {
    await withService({ HISTORY_KEYS_FILE: '' }, (client) => client.session());
    const id = 'lost';
    await withService(sealed(), (client) => client.session({ id }));
    file.write('k2', ['k2']);
    const { meta } = sessionKeys('csp', { owner: 'anyone', sessionId: id });
    const client = server.client();
    const before = await client.dumpBuffer(meta);
    for (const name of ['status', 'rewrap']) {
      const { status, lines } = run(name);
      expect(status).toBe(1);
      expect(lines).toContainEqual(
        expect.stringMatching(/^unreadable: \{.*:lost\}: its key is wrapped with k1, which/),
      );
      expect(lines).toContainEqual('unreadable: 1 sessions');
      expect(lines).toContainEqual(expect.stringMatching(/^not sealed: 1 sessions/));
    }
    expect(await client.dumpBuffer(meta)).toEqual(before);
    client.disconnect();
  });

  test('say what is missing, and that a Redis is not there', () => {
    expect(command(['status'], { REDIS_URL: '', HISTORY_KEYS_FILE: '' }).stderr).toMatch(
      /HISTORY_KEYS_FILE is missing[\s\S]*REDIS_URL/,
    );
    expect(command(['status'], { REDIS_URL: 'redis://127.0.0.1:1' })).toMatchObject({ status: 1, lines: [] });
  });
});
