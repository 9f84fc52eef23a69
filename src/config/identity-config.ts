// Who may call, from the environment.

import { isCidr } from '../identity/address-range.ts';
import { parseKeyFile } from '../identity/api-key-records.ts';
import type { GatewayRules } from '../identity/gateway.ts';
import type { JwtRules } from '../identity/jwt.ts';
import type { Environment } from './environment.ts';
import { secret } from './secret.ts';
import { type ReadFile, readTextFile } from './watched-file.ts';

export type IdentitySettings =
  | { readonly kind: 'none' }
  /** Without a file: in Redis. */
  | { readonly kind: 'api-key'; readonly file?: ReadFile }
  | { readonly kind: 'jwt'; readonly rules: JwtRules; readonly jwksUrl?: string }
  | { readonly kind: 'gateway'; readonly rules: GatewayRules };

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** They mean something with one kind of identity only. */
const OF_KIND = {
  'api-key': ['API_KEYS_FILE'],
  jwt: ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'],
  gateway: ['GATEWAY_SCOPE_HEADER', 'GATEWAY_SECRET', 'GATEWAY_SECRET_FILE'],
} as const satisfies Record<string, readonly (keyof Environment)[]>;

/** Those that are set and say nothing to the kind of identity that is chosen. */
export function unusedOfIdentity(env: Environment): readonly string[] {
  const others = Object.entries(OF_KIND).filter(([kind]) => kind !== env.AUTH);
  return others.flatMap(([, names]) => names).filter((name) => env[name] !== undefined);
}

/** What is wrong is added to `problems`, named by its variable. */
export function readIdentity(env: Environment, hasRedis: boolean, problems: string[]): IdentitySettings {
  switch (env.AUTH) {
    case 'api-key':
      return readApiKeys(env, hasRedis, problems);
    case 'jwt':
      return readJwt(env, problems);
    case 'gateway':
      return readGateway(env, problems);
    case undefined:
      if (!LOOPBACK.test(env.HOST)) {
        problems.push(`AUTH has to be written out (AUTH=none) because HOST=${env.HOST} can be reached from elsewhere`);
      }
      // Somebody believes to be protected who is not.
      for (const name of unusedOfIdentity(env)) problems.push(`${name} is set, but AUTH is not`);
      return { kind: 'none' };
    default:
      return { kind: 'none' };
  }
}

function readApiKeys({ API_KEYS_FILE: file }: Environment, hasRedis: boolean, problems: string[]): IdentitySettings {
  if (file === undefined) {
    if (!hasRedis)
      problems.push('API_KEYS_FILE is missing: with AUTH=api-key, keys are in a file or in Redis (REDIS_URL)');
    return { kind: 'api-key' };
  }
  const text = readKeyFile(file, problems);
  return text === undefined ? { kind: 'api-key' } : { kind: 'api-key', file: { path: file, text } };
}

function readKeyFile(path: string, problems: string[]): string | undefined {
  try {
    const text = readTextFile(path);
    parseKeyFile(text);
    return text;
  } catch (error) {
    problems.push(`API_KEYS_FILE: ${path} ${error instanceof Error ? error.message : 'cannot be read'}`);
    return undefined;
  }
}

/** By public keys (RFC 7518, 3.1; RFC 8037). */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

function readJwt(env: Environment, problems: string[]): IdentitySettings {
  const { JWT_ISSUER: issuer = '', JWT_JWKS_URL: jwksUrl } = env;
  const audiences = listOf(env.JWT_AUDIENCE);
  const algorithms = listOf(env.JWT_ALGORITHMS);
  if (issuer === '') problems.push('JWT_ISSUER is missing beside AUTH=jwt');
  else if (jwksUrl === undefined && !/^https?:\/\/[^\s?#]+$/.test(issuer)) {
    problems.push('JWT_JWKS_URL is missing: JWT_ISSUER is no address that could say where its keys are');
  }
  if (audiences.length === 0) problems.push('JWT_AUDIENCE is missing beside AUTH=jwt');
  if (algorithms.length === 0 || algorithms.some((name) => !ALGORITHMS.includes(name))) {
    problems.push(`JWT_ALGORITHMS: each has to be one of ${ALGORITHMS.join(', ')}`);
  }
  const { JWT_OWNER_CLAIM: ownerClaim, JWT_SCOPE_CLAIM: scopeClaim } = env;
  const rules = { issuer, audiences, algorithms, ownerClaim, scopeClaim, header: env.JWT_HEADER.toLowerCase() };
  return { kind: 'jwt', rules, ...(jwksUrl === undefined ? {} : { jwksUrl }) };
}

const OTHER_HEADERS = ['host', 'connection', 'content-type', 'content-length', 'cookie', 'origin', 'x-gateway-secret'];

function readGateway(env: Environment, problems: string[]): IdentitySettings {
  const given = secret('GATEWAY_SECRET', env, problems);
  if (env.TRUST_PROXY === undefined) {
    problems.push('TRUST_PROXY is missing: with AUTH=gateway everybody could say who they are, so name its addresses');
  }
  if (given === '') problems.push('GATEWAY_SECRET_FILE is empty');
  // Other characters arrive as they are written by whoever sends them: the secret would never be the same.
  if (given !== undefined && !/^[\x21-\x7e]*$/.test(given)) {
    problems.push('GATEWAY_SECRET may hold visible ASCII characters only');
  }
  const names = [env.GATEWAY_OWNER_HEADER, env.GATEWAY_SCOPE_HEADER ?? ''].map((name) => name.toLowerCase());
  if (names.some((name) => OTHER_HEADERS.includes(name)) || names[0] === names[1]) {
    problems.push('GATEWAY_OWNER_HEADER, GATEWAY_SCOPE_HEADER: each has to be a header of its own, for nothing else');
  }
  const { GATEWAY_SCOPE_HEADER: scopeHeader } = env;
  const rules = {
    ownerHeader: env.GATEWAY_OWNER_HEADER.toLowerCase(),
    ...(scopeHeader === undefined ? {} : { scopeHeader: scopeHeader.toLowerCase() }),
    ...(given === undefined ? {} : { secret: given }),
  };
  return { kind: 'gateway', rules };
}

export function readTrustedProxies({ TRUST_PROXY }: Environment, problems: string[]): readonly string[] {
  const cidrs = listOf(TRUST_PROXY);
  const wrong = cidrs.filter((cidr) => !isCidr(cidr));
  if (wrong.length > 0) problems.push(`TRUST_PROXY: ${wrong.join(', ')} is no address and no range such as 10.0.0.0/8`);
  return cidrs.filter(isCidr);
}

/** As browsers write them (RFC 6454, 6.2): no path, no slash at the end, no `*`, no `null`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:\d{1,5})?$/;

export function readOrigins({ CORS_ORIGINS }: Environment, problems: string[]): readonly string[] {
  const origins = listOf(CORS_ORIGINS);
  const wrong = origins.filter((origin) => !ORIGIN.test(origin));
  if (wrong.length > 0) {
    problems.push(
      `CORS_ORIGINS: ${wrong.join(', ')} is no origin; they look like https://app.example.com, in lower case`,
    );
  }
  return origins;
}

function listOf(value = ''): readonly string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
