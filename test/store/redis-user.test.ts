// deploy/redis-users.acl on a Redis of its own: the service works with it, and whoever has its password gets no further.

import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownerUsageKey, replicaChannel, sessionKeys } from '../../src/adapters/redis/keys.ts';
import { type HeldTurns, startTurns, watch } from '../support/held-turns.ts';
import { RedisServer } from '../support/redis-server.ts';
import { configOf, openRedisStore, uniquePrefix } from '../support/redis-stores.ts';
import { REDIS_USER, refusedTo, usersFile } from '../support/redis-user.ts';
import { until } from '../support/until.ts';
import { aKey, aSession, refusalOf } from './builders.ts';

const ROOT = join(import.meta.dirname, '../..');
const OPERATOR = { username: 'operator', password: 'of-the-tests' } as const;
const OURS = 'csp-test-';

/** What the client library sends by itself, and what it is asked for in other words than the command's own. */
const OF_THE_CONNECTION = {
  always: ['auth', 'hello', 'quit', 'reset'],
  start: ['info', 'select', 'client|setname'],
  scripts: ['eval', 'eval_ro', 'evalsha', 'evalsha_ro'],
  doorbells: ['ssubscribe', 'sunsubscribe'],
  cluster: ['cluster|slots', 'cluster|info', 'readonly', 'asking'],
};

function namedIn(pattern: string, call: RegExp): readonly string[] {
  const texts = globSync(pattern, { cwd: ROOT }).map((path) => readFileSync(join(ROOT, path), 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(call)].map(([, command = '']) => command.toLowerCase()));
}

function usedCommands(): readonly string[] {
  const inScripts = namedIn('src/adapters/redis/lua/*.lua', /redis\.p?call\(\s*'(\w+)'/g);
  const inStore = namedIn('src/adapters/redis/*.ts', /\.call\(\s*'(\w+)'/g);
  expect(inScripts.length).toBeGreaterThan(100);
  expect(inStore.length).toBeGreaterThan(15);
  return [...new Set([...inScripts, ...inStore, ...Object.values(OF_THE_CONNECTION).flat()])].sort();
}

let folder: string;
let server: RedisServer;
let operator: Redis;
let user: Redis;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csp-test-acl-'));
  const file = join(folder, 'users.acl');
  await writeFile(file, '');
  server = await RedisServer.start({ args: ['--aclfile', file, '--enable-debug-command', 'yes'] });
  await writeFile(file, `${usersFile(OURS)}user ${OPERATOR.username} on >${OPERATOR.password} ~* &* +@all\n`);
  const anyone = server.client();
  await anyone.call('ACL', 'LOAD');
  anyone.disconnect();
  const connect = (login: { username: string; password: string }) => new Redis(server.port, '127.0.0.1', login);
  operator = connect(OPERATOR);
  user = connect(REDIS_USER);
});

afterAll(async () => {
  operator.disconnect();
  user.disconnect();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the user of deploy/redis-users.acl', () => {
  it('may use what the service uses, and no other command', async () => {
    const all = (await operator.command('LIST')) as unknown as string[];
    const infos = (await operator.command('INFO', ...all)) as unknown as [string, number][];
    const allowed: string[] = [];
    for (const [index, name] of all.entries()) {
      const words = name.split('|');
      const arity = Math.abs(infos[index]?.[1] ?? 1);
      const rest = Array.from({ length: Math.max(arity - words.length, 0) }, () => `${OURS}x`);
      const verdict = await dryRun([...words, ...rest]);
      if (!/no permissions to run/.test(verdict)) allowed.push(name);
    }
    const isContainer = (name: string) => all.some((other) => other.startsWith(`${name}|`));
    expect(allowed.filter((name) => !isContainer(name)).sort()).toEqual(usedCommands());
  });

  it('can do nothing that reaches beyond the service', async () => {
    const refused = [
      ...['KEYS *', 'SCAN 0', 'RANDOMKEY', 'DBSIZE', 'FLUSHALL', 'FLUSHDB', 'SWAPDB 0 1', 'MONITOR', 'SAVE'],
      ...['CONFIG GET *', 'CONFIG SET dir /tmp', 'ACL LIST', 'ACL SETUSER csp allkeys', 'DEBUG SLEEP 0', 'MODULE LIST'],
      ...['SHUTDOWN NOSAVE', 'REPLICAOF 127.0.0.1 1', 'CLIENT LIST', 'CLIENT KILL TYPE normal', 'SCRIPT FLUSH'],
      ...['FUNCTION LIST', 'PSUBSCRIBE *', 'SUBSCRIBE x', 'PUBLISH x y', 'MIGRATE h 1 k 0 1', 'SLOWLOG GET', 'DUMP k'],
    ];
    for (const line of refused) {
      const [command = '', ...args] = line.split(' ');
      expect(await errorOf(user.call(command, ...args)), line).toMatch(/^NOPERM/);
    }
  });

  it('reaches no key and no channel of others, in scripts either', async () => {
    await operator.set('foreign', 'secret');
    const attempts = [
      user.call('GET', 'foreign'),
      user.call('SET', 'foreign', 'x'),
      user.call('UNLINK', 'foreign'),
      user.call('HGET', 'csp', 'x'),
      user.call('SSUBSCRIBE', 'foreign'),
      user.call('SPUBLISH', 'foreign', 'x'),
      user.call('EVAL', "return redis.call('GET', KEYS[1])", 1, 'foreign'),
    ];
    for (const error of await Promise.all(attempts.map(errorOf))) expect(error).toMatch(/^NOPERM/);
    // Keys that a script does not declare, and commands that it may not use.
    for (const script of ["return redis.call('GET', 'foreign')", "return redis.call('FLUSHALL')"]) {
      expect(await errorOf(user.call('EVAL', script, 0))).toMatch(/^ERR The user executing the script can't/);
    }
    expect(await operator.get('foreign')).toBe('secret');
  });

  it('is the only one: without a password, or with a wrong one, nobody comes in', async () => {
    for (const login of [{}, { username: 'csp', password: 'wrong' }, { password: REDIS_USER.password }]) {
      const stranger = new Redis(server.port, '127.0.0.1', { ...login, lazyConnect: true, retryStrategy: () => null });
      stranger.on('error', () => undefined);
      await stranger.connect().catch(() => undefined);
      expect(await stranger.ping().catch(() => 'refused')).toBe('refused');
      stranger.disconnect();
    }
  });

  it('covers every kind of key and channel', async () => {
    const key = { owner: 'any}{one', sessionId: 'x' };
    for (const name of [...Object.values(sessionKeys('csp', key)), ownerUsageKey('csp', 'any}{one', '2026-01')]) {
      expect(name).toMatch(/^csp:/);
    }
    expect(replicaChannel('csp', 'r')).toMatch(/^csp:/);
    expect(readFileSync(join(ROOT, 'deploy/redis-users.acl'), 'utf8')).toMatch(/ ~csp:\* .*&csp:\* /);
  });
});

describe('with that user the service', () => {
  let turns: HeldTurns;
  beforeAll(async () => {
    const { username: REDIS_USERNAME, password: REDIS_PASSWORD } = REDIS_USER;
    await refusedTo(operator);
    turns = await startTurns({ REDIS_URL: `${server.url}/1`, REDIS_USERNAME, REDIS_PASSWORD });
  });
  afterAll(() => turns[Symbol.asyncDispose]());

  it('sends, streams, cancels and is watched on both replicas, and is refused nothing', async () => {
    const { here, there } = turns.replicas;
    const { path, frames } = await turns.finished();
    expect((await watch(there, path).done()).frames).toEqual(frames);
    expect((await here.post(`${path}/messages`, { message: 'hello' })).json.state).toBe('COMMITTED');
    expect((await there.get(`${path}/messages`)).json.messages).toHaveLength(4);
    const held = await turns.held('one');
    const far = watch(there, held.path);
    await until('it is seen on the other replica', () => far.frames.length > 1);
    const cancelled = await there.post(`${held.path}/turns/it/cancel`);
    expect(cancelled).toMatchObject({ status: 200, json: { state: 'CANCELLED' } });
    expect((await far.done()).frames.at(-1)).toContain('turn.cancelled');
    expect((await there.get('/v1/sessions')).json.sessions).toHaveLength(2);
    expect((await here.get('/v1/usage')).status).toBe(200);
    expect((await here.delete(path)).status).toBe(204);
    expect(await refusedTo(operator)).toEqual([]);
  });

  it.each(['hset', 'evalsha'])('is refused as long as %s is not granted, and goes on when it is', async (name) => {
    const { here, services } = turns.replicas;
    await operator.call('ACL', 'SETUSER', REDIS_USER.username, `-${name}`);
    const create = () => here.post('/v1/sessions', { id: `with-${name}` }, { 'idempotency-key': name });
    expect(await create()).toMatchObject({ status: 503, json: { code: 'store_unavailable' } });
    expect(services[0].log()).toMatch(/NOPERM|The user executing the script can't/);
    await operator.call('ACL', 'SETUSER', REDIS_USER.username, `+${name}`);
    expect((await create()).status).toBe(201);
    expect(await refusedTo(operator)).toContainEqual(expect.stringContaining(name));
  });

  it('reaches nothing under a prefix that is not the user’s', async () => {
    const config = { ...configOf(server.url, 'other', 1000), ...REDIS_USER };
    const store = await openRedisStore(config);
    expect(await refusalOf(store.create(aKey(), aSession()))).toBe('store_unavailable');
    await store.close();
    const ours = await openRedisStore({ ...config, keyPrefix: uniquePrefix() });
    expect((await ours.create(aKey(), aSession())).version).toBe(1);
    await ours.close();
  });
});

async function dryRun(words: readonly string[]): Promise<string> {
  return String(await operator.call('ACL', 'DRYRUN', REDIS_USER.username, ...words).catch((error) => error.message));
}

async function errorOf(reply: Promise<unknown>): Promise<string> {
  return reply.then(
    (answer) => `answered ${String(answer)}`,
    (error: Error) => error.message,
  );
}
