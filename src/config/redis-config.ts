// Which Redis, from the environment.

import type { Environment } from './environment.ts';
import { readFile, secret } from './secret.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type RedisTarget =
  | { readonly kind: 'single'; readonly address: Address; readonly db: number }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly master: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly Address[] };

export interface RedisSettings {
  readonly target: RedisTarget;
  readonly username?: string;
  readonly password?: string;
  readonly sentinelPassword?: string;
  readonly tls?: { readonly authorities: readonly string[] };
  readonly natMap?: Readonly<Record<string, Address>>;
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
}

/** `undefined` when no Redis is named. What is wrong is added to `problems`, named by its variable. */
export function readRedis(env: Environment, problems: string[]): RedisSettings | undefined {
  const named = [env.REDIS_URL, env.REDIS_CLUSTER_NODES, env.REDIS_SENTINELS].filter((value) => value !== undefined);
  if (named.length === 0) {
    if (env.REDIS_SENTINEL_MASTER !== undefined)
      problems.push('REDIS_SENTINELS is missing beside REDIS_SENTINEL_MASTER');
    return undefined;
  }
  if (named.length > 1)
    problems.push('REDIS_URL, REDIS_CLUSTER_NODES and REDIS_SENTINELS: only one of them can be set');
  const url = parseUrl(env.REDIS_URL, problems);
  const target = readTarget(env, url, problems);
  const username = secret('REDIS_USERNAME', env, problems) ?? decoded(url?.username, problems);
  const password = secret('REDIS_PASSWORD', env, problems) ?? decoded(url?.password, problems);
  const sentinelPassword = secret('REDIS_SENTINEL_PASSWORD', env, problems);
  const natMap = readNatMap(env.REDIS_NAT_MAP, problems);
  const tls = { authorities: readAuthorities(env, problems) };
  if (!target) return undefined;
  const hasTls = env.REDIS_TLS === 'true' || url?.protocol === 'rediss:' || env.REDIS_TLS_CA_FILE !== undefined;
  return {
    target,
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(sentinelPassword ? { sentinelPassword } : {}),
    ...(hasTls ? { tls } : {}),
    ...(natMap ? { natMap } : {}),
    keyPrefix: env.REDIS_KEY_PREFIX,
    commandTimeoutMs: env.REDIS_COMMAND_TIMEOUT_MS,
  };
}

function readTarget(env: Environment, url: URL | undefined, problems: string[]): RedisTarget | undefined {
  if (env.REDIS_CLUSTER_NODES !== undefined) {
    return { kind: 'cluster', nodes: addresses('REDIS_CLUSTER_NODES', env.REDIS_CLUSTER_NODES, problems) };
  }
  if (env.REDIS_SENTINELS !== undefined) {
    if (env.REDIS_SENTINEL_MASTER === undefined)
      problems.push('REDIS_SENTINEL_MASTER is missing beside REDIS_SENTINELS');
    const sentinels = addresses('REDIS_SENTINELS', env.REDIS_SENTINELS, problems);
    return { kind: 'sentinel', sentinels, master: env.REDIS_SENTINEL_MASTER ?? '' };
  }
  if (!url) return undefined;
  const path = url.pathname.slice(1);
  if (path !== '' && !/^\d{1,4}$/.test(path)) problems.push('REDIS_URL: its path has to be the number of a database');
  const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 6379 : Number(url.port) };
  return { kind: 'single', address, db: path === '' ? 0 : Number(path) };
}

function parseUrl(value: string | undefined, problems: string[]): URL | undefined {
  if (value === undefined) return undefined;
  try {
    const url = new URL(value);
    if (url.hostname !== '') return url;
  } catch {
    // The problem below says it; the value itself may hold a password and is not repeated.
  }
  problems.push('REDIS_URL is not a URL (redis://host:port or rediss://host:port)');
  return undefined;
}

function decoded(part: string | undefined, problems: string[]): string | undefined {
  if (!part) return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    problems.push('REDIS_URL: user and password have to be percent-encoded');
    return undefined;
  }
}

function addresses(name: string, value: string, problems: string[]): readonly Address[] {
  const list = value.split(',').map((item) => parseAddress(item.trim()));
  if (list.some((address) => !address)) problems.push(`${name} has to be host:port,host:port`);
  return list.filter((address) => address !== undefined);
}

const PORT_MAX = 65_535;

function parseAddress(text: string): Address | undefined {
  const match = /^(\[[0-9a-fA-F:]+\]|[^\s:[\]]+):(\d{1,5})$/.exec(text);
  if (!match?.[1] || !match[2] || Number(match[2]) > PORT_MAX) return undefined;
  return { host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2]) };
}

/** `announced:port=reached:port,…` */
function readNatMap(value: string | undefined, problems: string[]): Readonly<Record<string, Address>> | undefined {
  if (value === undefined) return undefined;
  const map: Record<string, Address> = {};
  for (const pair of value.split(',')) {
    const [announced = '', reached = ''] = pair.trim().split('=');
    const address = parseAddress(reached);
    if (address && parseAddress(announced)) map[announced] = address;
    else problems.push('REDIS_NAT_MAP has to be host:port=host:port,host:port=host:port');
  }
  return map;
}

function readAuthorities(env: Environment, problems: string[]): readonly string[] {
  const file = env.REDIS_TLS_CA_FILE;
  const pem = file === undefined ? undefined : readFile('REDIS_TLS_CA_FILE', file, problems);
  return pem === undefined ? [] : [pem];
}
