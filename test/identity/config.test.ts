// AUTH and what belongs to it, in the environment: everything that is missing or does not fit is told at start.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config.ts';

type Variables = Readonly<Record<string, string>>;

function problemsOf(variables: Variables): string {
  try {
    loadConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return '';
}

const JWT = { AUTH: 'jwt', JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'chat' };
const GATEWAY = { AUTH: 'gateway', TRUST_PROXY: '10.0.0.0/8' };

test.each<[string, Variables]>([
  ['a kind of identity that nobody knows', { AUTH: 'magic' }],
  ['API_KEYS_FILE', { AUTH: 'api-key' }],
  ['JWT_ISSUER', { ...JWT, JWT_ISSUER: '' }],
  ['JWT_AUDIENCE', { ...JWT, JWT_AUDIENCE: '' }],
  ['JWT_AUDIENCE', { ...JWT, JWT_AUDIENCE: ' , ' }],
  ['JWT_JWKS_URL', { ...JWT, JWT_ISSUER: 'accounts.google.com' }],
  ['JWT_JWKS_URL', { ...JWT, JWT_JWKS_URL: 'file:///keys' }],
  ['JWT_ALGORITHMS', { ...JWT, JWT_ALGORITHMS: 'RS256,HS256' }],
  ['JWT_ALGORITHMS', { ...JWT, JWT_ALGORITHMS: 'none' }],
  ['JWT_ALGORITHMS', { ...JWT, JWT_ALGORITHMS: ',' }],
  ['JWT_HEADER', { ...JWT, JWT_HEADER: 'x_token' }],
  ['TRUST_PROXY', { AUTH: 'gateway' }],
  ['TRUST_PROXY', { ...GATEWAY, TRUST_PROXY: 'true' }],
  ['TRUST_PROXY', { ...GATEWAY, TRUST_PROXY: '1' }],
  ['TRUST_PROXY', { TRUST_PROXY: '10.0.0.0/8,loopback' }],
  ['GATEWAY_OWNER_HEADER', { ...GATEWAY, GATEWAY_OWNER_HEADER: 'x_user' }],
  ['GATEWAY_SECRET_FILE', { ...GATEWAY, GATEWAY_SECRET_FILE: '/no/such/file' }],
  ['TRUST_PROXY', { ...GATEWAY, TRUST_PROXY: '0.0.0.0/0' }],
  ['TRUST_PROXY', { ...GATEWAY, TRUST_PROXY: '::/0' }],
  ['TRUST_PROXY', { ...GATEWAY, TRUST_PROXY: '::ffff:0.0.0.0/96' }],
  ['GATEWAY_OWNER_HEADER', { ...GATEWAY, GATEWAY_OWNER_HEADER: 'Host' }],
  ['GATEWAY_OWNER_HEADER', { ...GATEWAY, GATEWAY_OWNER_HEADER: 'x-gateway-secret' }],
  ['GATEWAY_SCOPE_HEADER', { ...GATEWAY, GATEWAY_SCOPE_HEADER: 'x-forwarded-user' }],
  ['GATEWAY_SECRET', { ...GATEWAY, GATEWAY_SECRET: 'gehéim' }],
  ['API_KEYS_FILE', { API_KEYS_FILE: '/keys.json' }],
  ['JWT_ISSUER', { JWT_ISSUER: 'https://issuer.example' }],
  ['GATEWAY_SECRET', { GATEWAY_SECRET: 'between-us' }],
  ['CORS_ORIGINS', { CORS_ORIGINS: '*' }],
  ['CORS_ORIGINS', { CORS_ORIGINS: 'null' }],
  ['CORS_ORIGINS', { CORS_ORIGINS: 'https://app.example/' }],
  ['CORS_ORIGINS', { CORS_ORIGINS: 'https://App.example' }],
  ['CORS_ORIGINS', { CORS_ORIGINS: 'https://*.example' }],
])('%s is named in what is wrong with %o', (name, variables) => {
  expect(problemsOf(variables)).toContain(name === 'a kind of identity that nobody knows' ? 'AUTH' : name);
});

test.each<[string, Variables]>([
  ['keys in Redis', { AUTH: 'api-key', REDIS_URL: 'redis://h' }],
  ['an issuer', JWT],
  ['an issuer that is no address', { ...JWT, JWT_ISSUER: 'me', JWT_JWKS_URL: 'https://issuer.example/keys' }],
  ['a gateway', GATEWAY],
  ['no identity, written out', { AUTH: 'none', JWT_ISSUER: 'https://issuer.example' }],
  ['origins', { CORS_ORIGINS: 'https://app.example, http://localhost:5173,http://[::1]:3000, chrome-extension://abc' }],
  ['somebody in front', { TRUST_PROXY: '127.0.0.1, fd00::/8' }],
])('%s will do', (_what, variables) => {
  expect(problemsOf(variables)).toBe('');
});

describe('API_KEYS_FILE', () => {
  let folder: string;
  const sha256 = 'a'.repeat(64);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'csp-keys-'));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test.each<[string, string]>([
    ['nothing', ''],
    ['no JSON', '[{]'],
    ['no list', '{}'],
    ['a digest in capitals', JSON.stringify([{ owner: 'a', sha256: 'A'.repeat(64) }])],
    ['a key instead of its digest', JSON.stringify([{ owner: 'a', sha256: 'csp_secret' }])],
    ['no owner', JSON.stringify([{ sha256 }])],
    ['an empty owner', JSON.stringify([{ owner: ' ', sha256 }])],
    ['a scope that nobody knows', JSON.stringify([{ owner: 'a', sha256, scopes: ['raed'] }])],
    ['a misspelled field', JSON.stringify([{ owner: 'a', sha256, scope: ['read'] }])],
    ['an end that is no time', JSON.stringify([{ owner: 'a', sha256, expireTime: '2026-99-01T00:00:00Z' }])],
    [
      'the same key for two owners',
      JSON.stringify([
        { owner: 'a', sha256 },
        { owner: 'b', sha256 },
      ]),
    ],
  ])('that holds %s is refused, without a word of what it holds', (_what, content) => {
    const API_KEYS_FILE = join(folder, 'keys.json');
    writeFileSync(API_KEYS_FILE, content);
    const told = problemsOf({ AUTH: 'api-key', API_KEYS_FILE });
    expect(told).toContain('API_KEYS_FILE');
    expect(told).not.toMatch(/csp_secret|raed|aaaa/);
  });
});

test('what belongs to another kind of identity is told, since it changes nothing', () => {
  const ignoredWith = (variables: Variables) => loadConfig(variables).ignored;
  expect(ignoredWith({ AUTH: 'none', JWT_ISSUER: 'https://issuer.example', GATEWAY_SECRET: 'between-us' })).toEqual([
    'JWT_ISSUER',
    'GATEWAY_SECRET',
  ]);
  expect(ignoredWith({ ...GATEWAY, JWT_AUDIENCE: 'chat' })).toEqual(['JWT_AUDIENCE']);
  expect(ignoredWith(JWT)).toEqual([]);
});
