// The environment: defaults, ranges, and what is inferred from what.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
    STREAM_HEADERS_DELAY_MS: 5000,
    DRAIN_MS: 20_000,
    SESSION_TTL_S: 604_800,
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
  ['LOG_LEVEL', 'loud'],
  ['FILE_URI_ALLOW', 'file:///etc'],
])('%s=%s is refused by name', (name, value) => {
  expect(problemsOf({ [name]: value }).join()).toContain(name);
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
    const file = join(mkdtempSync(join(tmpdir(), 'csp-test-config-')), 'password');
    writeFileSync(file, 'from-file\n');
    const { redis } = loadConfig({ REDIS_URL: 'redis://:in-url@host', REDIS_PASSWORD_FILE: file });
    expect(redis?.password).toBe('from-file');
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

test('variables of the contract that this version does not know are listed, not passed over in silence', () => {
  expect(loadConfig({ CORS_ORIGINS: 'https://a', ADMIN_PORT: '9090' }).ignored).toEqual(['ADMIN_PORT', 'CORS_ORIGINS']);
});
