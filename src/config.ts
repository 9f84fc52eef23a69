// The configuration of the service. The only file that reads the environment; everything wrong is told at once.

import { type Environment, readEnvironment } from './config/environment.ts';
import { type HistoryKeysFile, readHistoryKeys } from './config/history-keys.ts';
import {
  type IdentitySettings,
  readIdentity,
  readOrigins,
  readTrustedProxies,
  unusedOfIdentity,
} from './config/identity-config.ts';
import { type Limits, readLimits } from './config/limits-config.ts';
import { type ModelBackend, readModelBackend, readPredictModels } from './config/model-config.ts';
import { type PermissionSettings, readPermissions } from './config/permission-config.ts';
import { type RedisSettings, readRedis } from './config/redis-config.ts';

export interface Config {
  readonly env: Environment;
  readonly isProduction: boolean;
  readonly basePath: string;
  readonly redis: RedisSettings | undefined;
  /** By which contents are encrypted; they are not without. */
  readonly historyKeys: HistoryKeysFile | undefined;
  readonly identity: IdentitySettings;
  /** Addresses and ranges of gateways. */
  readonly trustedProxies: readonly string[];
  readonly origins: readonly string[];
  readonly backend: ModelBackend;
  readonly defaultModel: string | undefined;
  /** Models of the legacy wire, beside those that always are: ids, or their beginnings. */
  readonly predictModels: readonly string[];
  readonly permissions: PermissionSettings;
  readonly limits: Limits;
  /** Variables that are set and change nothing: in this version, or with this `AUTH`. */
  readonly ignored: readonly string[];
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** What the service promises elsewhere and does not do yet; to be quiet about them would be to lie. */
const NOT_SUPPORTED = ['ADMIN_PORT', 'PLAYGROUND', 'DOCS'];

/** Fails with a ConfigError that names every bad and every missing variable. */
export function loadConfig(variables: Readonly<Record<string, string | undefined>> = process.env): Config {
  const { env, problems: invalid } = readEnvironment(variables);
  const problems = [...invalid];
  const isProduction = env.NODE_ENV === 'production';
  const redis = readRedis(env, problems);
  const namesRedis = [env.REDIS_URL, env.REDIS_CLUSTER_NODES, env.REDIS_SENTINELS].some((value) => value !== undefined);
  if (isProduction && !namesRedis) {
    problems.push(
      'REDIS_URL is missing (or REDIS_CLUSTER_NODES, or REDIS_SENTINELS): with NODE_ENV=production nothing is kept in memory',
    );
  }
  const backend = readModelBackend(env, problems);
  const predictModels = readPredictModels(env, problems);
  const historyKeys = readHistoryKeys(env, problems);
  const identity = readIdentity(env, namesRedis, problems);
  const trustedProxies = readTrustedProxies(env, problems);
  const origins = readOrigins(env, problems);
  const defaultModel = env.DEFAULT_MODEL ?? (backend.kind === 'built-in' ? 'emulator' : undefined);
  const permissions = readPermissions(env, backend, defaultModel, problems);
  if (problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return {
    env,
    isProduction,
    basePath: env.PUBLIC_BASE_PATH ?? '',
    redis,
    historyKeys,
    identity,
    trustedProxies,
    origins,
    backend,
    predictModels,
    defaultModel,
    permissions,
    limits: readLimits(env),
    ignored: [...NOT_SUPPORTED.filter((name) => variables[name]), ...unusedOfIdentity(env)],
  };
}

export interface KeyPlace {
  readonly file?: string;
  readonly redis?: RedisSettings;
}

/** Where API keys are kept. Reads nothing else: whoever handles keys need not be able to run the service. */
export function loadKeyPlace(variables: Readonly<Record<string, string | undefined>> = process.env): KeyPlace {
  const { env, problems: invalid } = readEnvironment(variables);
  const problems = invalid.filter((problem) => problem.startsWith('REDIS_'));
  const redis = readRedis(env, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  if (env.API_KEYS_FILE !== undefined) return { file: env.API_KEYS_FILE };
  return redis ? { redis } : {};
}

export interface SealedRedis {
  readonly redis: RedisSettings;
  readonly historyKeys: HistoryKeysFile;
}

/** For what is done to all sessions of a Redis: of the configuration no more than it takes. Fails with a ConfigError. */
export function loadSealedRedis(variables: Readonly<Record<string, string | undefined>> = process.env): SealedRedis {
  const { env, problems: invalid } = readEnvironment(variables);
  const problems = invalid.filter((problem) => /^(REDIS|HISTORY)_/.test(problem));
  const redis = readRedis(env, problems);
  const historyKeys = readHistoryKeys(env, problems);
  if (redis && historyKeys && problems.length === 0) return { redis, historyKeys };
  if (env.HISTORY_KEYS_FILE === undefined) problems.push('HISTORY_KEYS_FILE is missing');
  if (!redis) problems.push('REDIS_URL is missing (or REDIS_CLUSTER_NODES, or REDIS_SENTINELS)');
  throw new ConfigError([...new Set(problems)]);
}

/** The file of the keys, which need not be there yet. */
export function historyKeysPath(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return variables.HISTORY_KEYS_FILE || undefined;
}
