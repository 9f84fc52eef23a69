// The environment: defaults, ranges, and what is inferred from what.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLimits } from '../src/config/limits-config.ts';
import { parseOwnerModels } from '../src/config/permission-config.ts';
import { ConfigError, loadConfig } from '../src/config.ts';

type Variables = Readonly<Record<string, string>>;

function problemsOf(variables: Variables): readonly string[] {
  try {
    loadConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('without any variable it tries things out on this machine alone', () => {
  const { env, redis, backend, defaultModel } = loadConfig({});
  expect({ redis, backend, defaultModel }).toEqual({
    redis: undefined,
    backend: { kind: 'built-in' },
    defaultModel: 'emulator',
  });
  expect(env).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 8080,
    LEASE_MS: 20_000,
    HEARTBEAT_MS: 15_000,
    LOG_FLUSH_MS: 50,
    LOG_FLUSH_QUIET_MS: 250,
    STREAM_HEADERS_DELAY_MS: 5000,
    DRAIN_MS: 20_000,
    SESSION_TTL_S: 604_800,
    USAGE_TTL_S: 34_560_000,
    REDIS_KEY_PREFIX: 'csp',
    GOOGLE_CLOUD_LOCATION: 'global',
    BODY_LIMIT_BYTES: 20 * 1024 * 1024,
    SMALL_BODY_LIMIT_BYTES: 1024 * 1024,
    HEADERS_TIMEOUT_MS: 15_000,
    REQUEST_TIMEOUT_MS: 30_000,
  });
});

test('an empty variable counts as not set', () => {
  expect(loadConfig({ REDIS_URL: '', PORT: '', GEMINI_API_KEY: '' })).toMatchObject({
    redis: undefined,
    env: { PORT: 8080 },
  });
});

test.each([
  ['PORT', '65536'],
  ['PORT', '80.5'],
  ['PORT', '1e3x'],
  ['LEASE_MS', '0'],
  ['SESSION_TTL_S', '7776001'],
  ['USAGE_TTL_S', '2678399'],
  ['UPSTREAM_RETRIES_MAX', '3'],
  ['PUBLIC_BASE_PATH', 'chat'],
  ['PUBLIC_BASE_PATH', '/chat/'],
  ['REDIS_URL', 'http://host'],
  ['REDIS_URL', 'redis://u:%zz@host'],
  ['DEFAULT_MODEL', 'a..b'],
  ['REDIS_SENTINEL_MASTER', 'm'],
  ['REDIS_KEY_PREFIX', 'a{b}'],
  ['GOOGLE_CLOUD_LOCATION', 'us/../x'],
  ['GOOGLE_CLOUD_PROJECT', 'a/b'],
  ['GOOGLE_VERTEX_BASE_URL', 'ftp://host'],
  ['VERTEX_AI_EMULATOR_HOST', 'http://host:1'],
  ['VERTEX_AI_EMULATOR_HOST', 'host'],
  ['VERTEX_AI_EMULATOR_HOST', 'host:65536'],
  ['VERTEX_AI_EMULATOR_HOST', '1.2.3.999:80'],
  ['LOG_LEVEL', 'loud'],
  ['MODEL_BACKEND', 'magic'],
  ['REDIS_TLS', 'yes'],
  ['SESSION_TTL_S', '0'],
  ['DRAIN_MS', '-1'],
  ['HEARTBEAT_MS', '5'],
  ['BODY_LIMIT_BYTES', '20MiB'],
  ['REDIS_URL', 'redis://'],
  ['REDIS_URL', 'redis://host:65536'],
  ['REDIS_CLUSTER_NODES', 'a:1,b:65536'],
  ['AUTH', 'jwt'],
  ['AUTH', 'api-key'],
  ['AUTH', 'gateway'],
  ['HOST', '0.0.0.0'],
  ['HOST', '::'],
  ['HOST', '192.168.0.1'],
  ['HISTORY_KEYS_FILE', '/keys.json'],
  ['FILE_URI_ALLOW', 'file:///etc'],
  ['FILE_URI_ALLOW', 'gs://'],
  ['FILE_URI_ALLOW', 'gs://Ours'],
  ['FILE_URI_ALLOW', 'https://user@host'],
  ['FILE_URI_ALLOW', 'gs://ours,https://*'],
  ['MODEL_ALLOW', 'a b'],
  ['MODEL_ALLOW', '*-pro'],
  ['MODEL_ALLOW', 'gemini-*'],
  ['MODEL_ALLOW_FILE', '/nowhere/models.json'],
  ['PROJECT_ALLOW', 'mine,a/b'],
])('%s=%s is refused by name', (name, value) => {
  expect(problemsOf({ [name]: value }).join()).toContain(name);
});

test.each([
  ['PORT', '0', 0],
  ['PORT', '65535', 65_535],
  ['UPSTREAM_RETRIES_MAX', '0', 0],
  ['SESSION_TTL_S', '7776000', 7_776_000],
  ['STREAM_HEADERS_DELAY_MS', '0', 0],
  ['DRAIN_MS', '0', 0],
])('%s=%s is taken', (name, value, read) => {
  expect(loadConfig({ [name]: value }).env).toMatchObject({ [name]: read });
});

test.each([['127.0.0.1'], ['127.1.2.3'], ['localhost'], ['::1']])('HOST=%s needs no AUTH', (host) => {
  expect(problemsOf({ HOST: host })).toEqual([]);
});

test('with AUTH=none written out, any address will do', () => {
  expect(problemsOf({ HOST: '0.0.0.0', AUTH: 'none' })).toEqual([]);
});

describe('in production', () => {
  test('what is missing is named at once: the store, the model, identity', () => {
    const problems = problemsOf({ NODE_ENV: 'production', HOST: '0.0.0.0' });
    expect(problems.length).toBe(3);
    for (const name of ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS']) expect(problems.join()).toContain(name);
    for (const name of ['GOOGLE_CLOUD_PROJECT', 'GEMINI_API_KEY', 'AUTH']) expect(problems.join()).toContain(name);
  });

  test.each<[string, Variables]>([
    ['Vertex AI and Redis', { REDIS_URL: 'redis://h', GOOGLE_CLOUD_PROJECT: 'p' }],
    ['the Developer API and a cluster', { REDIS_CLUSTER_NODES: 'h:1', GEMINI_API_KEY: 'k' }],
    ['a stand-in and Redis', { REDIS_URL: 'redis://h', VERTEX_AI_EMULATOR_HOST: 'h:1' }],
  ])('%s are enough', (_what, variables) => {
    const production = { NODE_ENV: 'production', HOST: '0.0.0.0', AUTH: 'none' };
    expect(problemsOf({ ...production, ...variables })).toEqual([]);
  });
});

test('no message repeats the value of a secret, and bad values of everything else come with the same message', () => {
  const secret = 'S3cretW0rd';
  const problems = problemsOf({
    PORT: 'abc',
    LEASE_MS: '0',
    REDIS_URL: `redis://me:${secret}@`,
    REDIS_PASSWORD: secret,
    REDIS_SENTINEL_PASSWORD: secret,
    GEMINI_API_KEY: secret,
    GOOGLE_CLOUD_PROJECT: 'p',
  });
  for (const name of ['PORT', 'LEASE_MS', 'REDIS_URL', 'MODEL_BACKEND']) expect(problems.join()).toContain(name);
  expect(problems.join()).not.toContain(secret);
  expect(problemsOf({ REDIS_URL: `redis://me:${secret}%zz@host` }).join()).not.toContain(secret);
});

describe('the model backend', () => {
  test.each<[string, Variables, object]>([
    ['Vertex AI from a project', { GOOGLE_CLOUD_PROJECT: 'p' }, { kind: 'vertex', project: 'p', location: 'global' }],
    ['the Developer API from a key', { GEMINI_API_KEY: 'k' }, { kind: 'gemini-api', apiKey: 'k' }],
    ['the other name of the key', { GOOGLE_API_KEY: 'k' }, { kind: 'gemini-api', apiKey: 'k' }],
    [
      'what is said, with both',
      { GOOGLE_CLOUD_PROJECT: 'p', GEMINI_API_KEY: 'k', MODEL_BACKEND: 'gemini-api' },
      { kind: 'gemini-api' },
    ],
    [
      'what Google says, with both',
      { GOOGLE_CLOUD_PROJECT: 'p', GEMINI_API_KEY: 'k', GOOGLE_GENAI_USE_VERTEXAI: 'true' },
      { kind: 'vertex' },
    ],
    [
      'the emulator before everything',
      { VERTEX_AI_EMULATOR_HOST: 'h:1', GOOGLE_CLOUD_PROJECT: 'p', GEMINI_API_KEY: 'k', MODEL_BACKEND: 'vertex' },
      { kind: 'emulator', address: 'h:1', project: 'p' },
    ],
    [
      'the Developer API, as Google says',
      { GOOGLE_CLOUD_PROJECT: 'p', GOOGLE_API_KEY: 'k', GOOGLE_GENAI_USE_VERTEXAI: '0' },
      { kind: 'gemini-api', apiKey: 'k' },
    ],
    [
      'what is said here before what Google says',
      { GOOGLE_CLOUD_PROJECT: 'p', GEMINI_API_KEY: 'k', MODEL_BACKEND: 'vertex', GOOGLE_GENAI_USE_VERTEXAI: 'false' },
      { kind: 'vertex' },
    ],
    [
      'a stand-in without a project',
      { VERTEX_AI_EMULATOR_HOST: '[::1]:8085' },
      { kind: 'emulator', address: '[::1]:8085' },
    ],
    [
      'another host of the Developer API',
      { GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: 'http://x:1' },
      { kind: 'gemini-api', baseUrl: 'http://x:1' },
    ],
    [
      'another host of Vertex AI',
      { GOOGLE_CLOUD_PROJECT: 'p', GOOGLE_VERTEX_BASE_URL: 'http://x' },
      { kind: 'vertex', baseUrl: 'http://x' },
    ],
  ])('%s', (_what, variables, backend) => {
    expect(loadConfig(variables).backend).toMatchObject(backend);
  });

  test.each<[string, Variables, string]>([
    ['both and nothing said', { GOOGLE_CLOUD_PROJECT: 'p', GEMINI_API_KEY: 'k' }, 'MODEL_BACKEND'],
    ['vertex without a project', { MODEL_BACKEND: 'vertex' }, 'GOOGLE_CLOUD_PROJECT'],
    [
      'a base URL with a port that does not exist',
      { GOOGLE_CLOUD_PROJECT: 'p', GOOGLE_VERTEX_BASE_URL: 'http://x:65536' },
      'GOOGLE_VERTEX_BASE_URL',
    ],
    [
      'the same of the Developer API',
      { GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: 'http://x:65536' },
      'GOOGLE_GEMINI_BASE_URL',
    ],
    ['the Developer API without a key', { MODEL_BACKEND: 'gemini-api' }, 'GEMINI_API_KEY'],
    ['the emulator without its address', { MODEL_BACKEND: 'emulator' }, 'VERTEX_AI_EMULATOR_HOST'],
  ])('%s is refused', (_what, variables, name) => {
    expect(problemsOf(variables).join()).toContain(name);
  });

  test('a default model has to be named for a real one', () => {
    expect(loadConfig({ GEMINI_API_KEY: 'k' }).defaultModel).toBeUndefined();
    expect(loadConfig({ GEMINI_API_KEY: 'k', DEFAULT_MODEL: 'gemini-2.5-flash' }).defaultModel).toBe(
      'gemini-2.5-flash',
    );
  });
});

describe('Redis', () => {
  test('a URL with everything in it', () => {
    const { redis } = loadConfig({ REDIS_URL: 'rediss://me:p%40ss@host:7000/3' });
    expect(redis).toMatchObject({
      target: { kind: 'single', address: { host: 'host', port: 7000 }, db: 3 },
      username: 'me',
      password: 'p@ss',
      tls: { authorities: [] },
    });
  });

  test('Sentinel and Cluster by their nodes, with announced addresses mapped', () => {
    const sentinel = loadConfig({ REDIS_SENTINELS: 'a:1,b:2', REDIS_SENTINEL_MASTER: 'm' }).redis;
    expect(sentinel?.target).toEqual({
      kind: 'sentinel',
      sentinels: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      master: 'm',
    });
    const cluster = loadConfig({
      REDIS_CLUSTER_NODES: 'a:1, [::1]:2',
      REDIS_NAT_MAP: '10.0.0.1:6379=localhost:7001',
    }).redis;
    expect(cluster?.target).toMatchObject({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
      ],
    });
    expect(cluster?.natMap).toEqual({ '10.0.0.1:6379': { host: 'localhost', port: 7001 } });
  });

  test('secrets come from files too, and win over the URL', () => {
    const folder = mkdtempSync(join(tmpdir(), 'csp-test-config-'));
    const file = join(folder, 'password');
    writeFileSync(file, 'from-file\n');
    const { redis } = loadConfig({ REDIS_URL: 'redis://:in-url@host', REDIS_PASSWORD_FILE: file });
    expect(redis?.password).toBe('from-file');
    rmSync(folder, { recursive: true });
  });

  test('each secret has a file of its own, and a plain form', () => {
    const folder = mkdtempSync(join(tmpdir(), 'csp-test-config-'));
    const file = (name: string) => {
      writeFileSync(join(folder, name), `${name}\r\n`);
      return join(folder, name);
    };
    const sentinels = { REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_MASTER: 'm' };
    const secrets = { username: 'u', password: 'p', sentinelPassword: 's' };
    const inFiles = { REDIS_USERNAME_FILE: file('u'), REDIS_PASSWORD_FILE: file('p') };
    expect(loadConfig({ ...sentinels, ...inFiles, REDIS_SENTINEL_PASSWORD_FILE: file('s') }).redis).toMatchObject(
      secrets,
    );
    const plain = { REDIS_USERNAME: 'u', REDIS_PASSWORD: 'p', REDIS_SENTINEL_PASSWORD: 's' };
    expect(loadConfig({ ...sentinels, ...plain }).redis).toMatchObject(secrets);
    rmSync(folder, { recursive: true });
  });

  test('TLS is spoken when the URL, the switch or an authority says so', () => {
    const folder = mkdtempSync(join(tmpdir(), 'csp-test-config-'));
    writeFileSync(join(folder, 'ca.pem'), 'PEM');
    const tlsOf = (variables: Variables) => loadConfig({ REDIS_CLUSTER_NODES: 'a:1', ...variables }).redis?.tls;
    expect(tlsOf({})).toBeUndefined();
    expect(tlsOf({ REDIS_TLS: 'false' })).toBeUndefined();
    expect(tlsOf({ REDIS_TLS: 'true' })).toEqual({ authorities: [] });
    expect(tlsOf({ REDIS_TLS_CA_FILE: join(folder, 'ca.pem') })).toEqual({ authorities: ['PEM'] });
    expect(problemsOf({ REDIS_URL: 'redis://h', REDIS_TLS_CA_FILE: '/nowhere' }).join()).toContain('REDIS_TLS_CA_FILE');
    rmSync(folder, { recursive: true });
  });

  test.each<[string, Variables, string]>([
    ['two kinds at once', { REDIS_URL: 'redis://h', REDIS_CLUSTER_NODES: 'a:1' }, 'REDIS_CLUSTER_NODES'],
    ['sentinels without a master', { REDIS_SENTINELS: 'a:1' }, 'REDIS_SENTINEL_MASTER'],
    ['nodes without ports', { REDIS_CLUSTER_NODES: 'a,b' }, 'REDIS_CLUSTER_NODES'],
    ['a file that is not there', { REDIS_URL: 'redis://h', REDIS_PASSWORD_FILE: '/nowhere' }, 'REDIS_PASSWORD_FILE'],
    ['a map of something else', { REDIS_URL: 'redis://h', REDIS_NAT_MAP: 'x' }, 'REDIS_NAT_MAP'],
    ['a database by name', { REDIS_URL: 'redis://h/main' }, 'REDIS_URL'],
  ])('%s is refused by name', (_what, variables, name) => {
    expect(problemsOf(variables).join()).toContain(name);
  });
});

describe('limits', () => {
  const OFF = {
    ownerRequestsPerMinute: 0,
    addressRequestsPerMinute: 0,
    turnsPerOwnerMax: 0,
    streamsPerOwnerMax: 0,
    sessionsPerOwnerMax: 0,
    streamsMax: 10_000,
    connectionsMax: 16_384,
  };

  test('of owners are none without identity, where everybody is the same owner', () => {
    expect(loadConfig({}).limits).toEqual(OFF);
    expect(loadConfig({ AUTH: 'none' }).limits).toEqual(OFF);
  });

  test('have defaults for owners who are told apart', () => {
    const { env } = loadConfig({});
    expect(readLimits({ ...env, AUTH: 'api-key' })).toEqual({
      ...OFF,
      ownerRequestsPerMinute: 6000,
      turnsPerOwnerMax: 100,
      streamsPerOwnerMax: 200,
      sessionsPerOwnerMax: 10_000,
    });
  });

  test('that are written out win, also to be none', () => {
    const written = {
      RATE_LIMIT_PER_MINUTE: '7',
      RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '8',
      MAX_TURNS_PER_OWNER: '9',
      MAX_STREAMS_PER_OWNER: '10',
      MAX_SESSIONS_PER_OWNER: '11',
      MAX_STREAMS: '0',
      MAX_CONNECTIONS: '0',
    };
    expect(loadConfig(written).limits).toEqual({
      ownerRequestsPerMinute: 7,
      addressRequestsPerMinute: 8,
      turnsPerOwnerMax: 9,
      streamsPerOwnerMax: 10,
      sessionsPerOwnerMax: 11,
      streamsMax: 0,
      connectionsMax: 0,
    });
    expect(loadConfig(written).ignored).toEqual([]);
    const { env } = loadConfig({ RATE_LIMIT_PER_MINUTE: '0' });
    expect(readLimits({ ...env, AUTH: 'jwt' }).ownerRequestsPerMinute).toBe(0);
  });

  test.each(['RATE_LIMIT_PER_MINUTE', 'MAX_TURNS_PER_OWNER', 'MAX_STREAMS', 'MAX_CONNECTIONS', 'SHED_RSS_BYTES'])(
    '%s is a whole number, and not negative',
    (name) => {
      for (const value of ['-1', '1.5', 'many']) expect(problemsOf({ [name]: value }).join()).toContain(name);
    },
  );
});

test('variables of the contract that this version does not know are listed, not passed over in silence', () => {
  expect(loadConfig({ DOCS: 'on', ADMIN_PORT: '9090' }).ignored).toEqual(['ADMIN_PORT', 'DOCS']);
});

test('PREDICT_MODELS is a list, whatever its spaces and commas', () => {
  const read = (PREDICT_MODELS: string) => loadConfig({ PREDICT_MODELS }).predictModels;
  const endpoint = 'projects/p/locations/eu/endpoints/7';
  expect(read(` tuned-bison,, old-model@001 ,${endpoint},`)).toEqual(['tuned-bison', 'old-model@001', endpoint]);
  expect(read(',')).toEqual([]);
  expect(loadConfig({}).predictModels).toEqual([]);
  expect(loadConfig({ PREDICT_MODELS: 'tuned' }).ignored).toEqual([]);
});

test.each(['a b', 'tuned,../x?y', 'tuned#1'])('PREDICT_MODELS names what is no model: %s', (PREDICT_MODELS) => {
  expect(problemsOf({ PREDICT_MODELS })).toEqual([expect.stringContaining('PREDICT_MODELS')]);
});

describe('what callers may name', () => {
  test('is every model and every project where there is nothing to protect, and no file', () => {
    expect(loadConfig({ VERTEX_AI_EMULATOR_HOST: 'h:1' }).permissions).toEqual({ fileUris: [] });
    expect(loadConfig({ GEMINI_API_KEY: 'k' }).permissions).toEqual({ fileUris: [] });
  });

  test('is the own project on Vertex AI, and those that are listed beside it', () => {
    const onVertex = { GOOGLE_CLOUD_PROJECT: 'own' };
    expect(loadConfig(onVertex).permissions.projects).toEqual(new Set(['own']));
    expect(loadConfig({ ...onVertex, PROJECT_ALLOW: 'a, 123,' }).permissions.projects).toEqual(
      new Set(['own', 'a', '123']),
    );
  });

  test('has to have the default model among its models', () => {
    const problems = problemsOf({ MODEL_ALLOW: 'gemini-2.5-*', DEFAULT_MODEL: 'gemini-3-pro' });
    expect(problems.join()).toMatch(/MODEL_ALLOW.*gemini-3-pro.*DEFAULT_MODEL/);
    const path = { MODEL_ALLOW: 'gemini-2.5-*', DEFAULT_MODEL: 'publishers/google/models/gemini-2.5-pro' };
    expect(problemsOf(path)).toEqual([]);
  });

  test('reads its file as owners and their lists, whatever an owner is called', () => {
    expect([...parseOwnerModels('{"me": ["a*"], "__proto__": []}')]).toEqual([
      ['me', ['a*']],
      ['__proto__', []],
    ]);
  });

  test.each([
    ['no JSON', '{'],
    ['a list', '["a"]'],
    ['null', 'null'],
    ['a model that is none', '{"me": ["a b"]}'],
    ['an empty name', '{"me": [""]}'],
    ['no list of an owner', '{"me": "a"}'],
  ])('is refused by name when its file holds %s', (_what, text) => {
    const folder = mkdtempSync(join(tmpdir(), 'csp-test-config-'));
    const file = join(folder, 'models.json');
    writeFileSync(file, text);
    expect(problemsOf({ MODEL_ALLOW_FILE: file }).join()).toContain(`MODEL_ALLOW_FILE: ${file}`);
    rmSync(folder, { recursive: true });
  });
});
