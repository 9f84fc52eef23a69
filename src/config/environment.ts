// The environment as the service reads it: names, types, ranges and defaults, in one table. `config.ts` hands in the
// real one; everything that is wrong with it is told at once.

import { Ajv } from 'ajv';
import { type Static, type TSchema, Type } from 'typebox';
import { MODEL_PATTERN } from '../chat/session.ts';

const text = (options: object = {}) => Type.Optional(Type.String({ minLength: 1, ...options }));
const oneOf = <const W extends readonly string[]>(...values: W) =>
  Type.Optional(Type.Unsafe<W[number]>({ type: 'string', enum: values }));
const whole = (fallback: number, minimum: number, maximum: number) =>
  Type.Integer({ default: fallback, minimum, maximum });
/** 0 for no limit. */
const limit = (fallback: number) => whole(fallback, 0, 1_000_000_000);
/** The same; its default depends on who may call (`limits-config.ts`). */
const ownerLimit = () => Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 }));
const ms = (fallback: number, minimum = 1, maximum = 3_600_000) => whole(fallback, minimum, maximum);
const bytes = (fallback: number) => whole(fallback, 1024, 1024 ** 3);

/** With hyphens: `_` is another way to write the same name for some gateways. */
const HEADER_NAME = '^[A-Za-z0-9-]{1,64}$';

/** A bucket or a host, in lower case as both are written; a folder there. */
const FILE_PLACE = '(gs|https)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9._-]+)*/?';

const ENVIRONMENT = Type.Object({
  NODE_ENV: text(),
  LOG_LEVEL: Type.Unsafe<string>({
    type: 'string',
    enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
  }),

  HOST: Type.String({ minLength: 1, default: '127.0.0.1' }),
  PORT: whole(8080, 0, 65_535),
  PUBLIC_BASE_PATH: text({ pattern: '^(/[A-Za-z0-9._~-]+)+$' }),
  AUTH: oneOf('none', 'api-key', 'jwt', 'gateway'),
  API_KEYS_FILE: text(),
  JWT_ISSUER: text({ pattern: '^[^\\s]+$', maxLength: 512 }),
  JWT_AUDIENCE: text(),
  JWT_JWKS_URL: text({ pattern: '^https?://[^\\s#]+$' }),
  JWT_ALGORITHMS: Type.String({ minLength: 1, default: 'RS256,ES256,EdDSA' }),
  JWT_OWNER_CLAIM: Type.String({ minLength: 1, default: 'sub' }),
  JWT_SCOPE_CLAIM: Type.String({ minLength: 1, default: 'scope' }),
  JWT_HEADER: Type.String({ pattern: HEADER_NAME, default: 'authorization' }),
  GATEWAY_OWNER_HEADER: Type.String({ pattern: HEADER_NAME, default: 'x-forwarded-user' }),
  GATEWAY_SCOPE_HEADER: text({ pattern: HEADER_NAME }),
  GATEWAY_SECRET: text(),
  GATEWAY_SECRET_FILE: text(),
  IDENTITY_RECHECK_MS: ms(60_000, 100),
  TRUST_PROXY: text(),
  CORS_ORIGINS: text(),
  BODY_LIMIT_BYTES: bytes(20 * 1024 ** 2),
  SMALL_BODY_LIMIT_BYTES: bytes(1024 ** 2),
  JSON_DEPTH_MAX: whole(64, 4, 1000),
  JSON_VALUES_MAX: whole(200_000, 1000, 10_000_000),
  URL_LENGTH_MAX: whole(8192, 256, 30_000),
  HEADERS_TIMEOUT_MS: ms(15_000),
  REQUEST_TIMEOUT_MS: ms(30_000),
  HEARTBEAT_MS: ms(15_000, 10),
  STREAM_HEADERS_DELAY_MS: ms(5000, 0),
  CLIENT_STALL_TIMEOUT_MS: ms(30_000, 10),
  DRAIN_MS: ms(20_000, 0),

  SESSION_TTL_S: whole(604_800, 1, 7_776_000),
  SESSION_CONFIG_BYTES_MAX: bytes(1024 ** 2),
  HISTORY_MESSAGES_MAX: whole(10_000, 2, 1_000_000),
  HISTORY_BYTES_MAX: bytes(64 * 1024 ** 2),
  LEDGER_TURNS_MAX: whole(1000, 1, 100_000),
  LEDGER_BYTES_MAX: bytes(64 * 1024 ** 2),
  // At least as long as a month, or its sums could end before it does.
  USAGE_TTL_S: whole(34_560_000, 2_678_400, 315_360_000),
  ANSWER_SIZE_MAX: whole(16 * 1024 ** 2, 1024, 256 * 1024 ** 2),
  QUEUE_TURNS_MAX: whole(32, 0, 10_000),
  TURN_TIMEOUT_MS: ms(600_000),
  LEASE_MS: ms(20_000, 100),
  LOG_FLUSH_MS: ms(50, 1, 10_000),
  LOG_FLUSH_QUIET_MS: ms(250, 1, 10_000),
  LOG_FLUSH_BYTES: bytes(16 * 1024),
  LOG_TTL_MS: ms(600_000, 1000, 86_400_000),
  FINISH_BUDGET_MS: ms(15_000),
  MEMORY_SESSIONS_MAX: whole(10_000, 1, 10_000_000),
  KNOWN_SESSIONS_BYTES: whole(64 * 1024 ** 2, 0, 1024 ** 4),

  REDIS_URL: text({ pattern: '^rediss?://.+' }),
  REDIS_CLUSTER_NODES: text(),
  REDIS_SENTINELS: text(),
  REDIS_SENTINEL_MASTER: text(),
  REDIS_USERNAME: text(),
  REDIS_USERNAME_FILE: text(),
  REDIS_PASSWORD: text(),
  REDIS_PASSWORD_FILE: text(),
  REDIS_SENTINEL_PASSWORD: text(),
  REDIS_SENTINEL_PASSWORD_FILE: text(),
  REDIS_TLS: oneOf('true', 'false'),
  REDIS_TLS_CA_FILE: text(),
  REDIS_NAT_MAP: text(),
  REDIS_KEY_PREFIX: Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,64}$', default: 'csp' }),
  REDIS_COMMAND_TIMEOUT_MS: ms(2000, 10, 60_000),

  MODEL_BACKEND: oneOf('vertex', 'gemini-api', 'emulator'),
  DEFAULT_MODEL: text({ pattern: MODEL_PATTERN, maxLength: 512 }),
  PREDICT_MODELS: text(),
  VERTEX_AI_EMULATOR_HOST: text({ pattern: '^[^/:\\s]+:\\d{1,5}$|^\\[[0-9a-fA-F:]+\\]:\\d{1,5}$' }),
  GOOGLE_CLOUD_PROJECT: text({ pattern: '^[a-z0-9:.-]{1,128}$' }),
  GOOGLE_CLOUD_LOCATION: Type.String({ pattern: '^[a-z0-9-]{1,64}$', default: 'global' }),
  GOOGLE_VERTEX_BASE_URL: text({ pattern: '^https?://[^\\s?#]+$' }),
  GOOGLE_GENAI_USE_VERTEXAI: oneOf('true', 'false', '1', '0', 'True', 'False'),
  GEMINI_API_KEY: text(),
  GOOGLE_API_KEY: text(),
  GOOGLE_GEMINI_BASE_URL: text({ pattern: '^https?://[^\\s?#]+$' }),
  UPSTREAM_CONNECT_TIMEOUT_MS: ms(5000),
  UPSTREAM_FIRST_EVENT_TIMEOUT_MS: ms(180_000),
  UPSTREAM_IDLE_TIMEOUT_MS: ms(120_000),
  UPSTREAM_RETRIES_MAX: whole(2, 0, 2),
  UPSTREAM_RETRY_WAIT_MAX_MS: ms(8000, 0),
  UPSTREAM_CONNECTIONS_MAX: whole(1024, 1, 65_535),
  UPSTREAM_EVENT_SIZE_MAX: whole(16 * 1024 ** 2, 1024, 256 * 1024 ** 2),

  MODEL_ALLOW: text(),
  MODEL_ALLOW_FILE: text(),
  PROJECT_ALLOW: text(),
  FILE_URI_ALLOW: text({ pattern: `^${FILE_PLACE}(,${FILE_PLACE})*$` }),

  RATE_LIMIT_PER_MINUTE: ownerLimit(),
  RATE_LIMIT_PER_MINUTE_PER_ADDRESS: limit(0),
  MAX_TURNS_PER_OWNER: ownerLimit(),
  MAX_STREAMS_PER_OWNER: ownerLimit(),
  MAX_SESSIONS_PER_OWNER: ownerLimit(),
  MAX_STREAMS: limit(10_000),
  MAX_CONNECTIONS: limit(16_384),
  SHED_EVENT_LOOP_DELAY_MS: ms(1000, 0),
  SHED_HEAP_BYTES: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  SHED_RSS_BYTES: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  HISTORY_KEYS_FILE: text(),
});

export type Environment = Static<typeof ENVIRONMENT>;

export const VARIABLES = Object.keys(ENVIRONMENT.properties);

/** The typed environment, and one line for everything that is wrong with it. An empty variable is not set. */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): {
  readonly env: Environment;
  readonly problems: readonly string[];
} {
  const set = VARIABLES.flatMap((name) => (variables[name] ? [[name, variables[name]]] : []));
  const env: unknown = Object.fromEntries(set);
  const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false });
  const validate = ajv.compile(ENVIRONMENT as TSchema & object);
  validate(env);
  const problems = (validate.errors ?? []).map(({ instancePath, message, keyword, params }) => {
    const allowed = keyword === 'enum' ? `: ${(params.allowedValues as string[]).join(', ')}` : '';
    return `${instancePath.slice(1)} ${message}${allowed}`;
  });
  return { env: env as Environment, problems };
}
