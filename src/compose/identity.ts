// The identity that the configuration asks for, with what it reads from: a file, Redis, or an issuer.

import type { FastifyBaseLogger } from 'fastify';
import { RedisApiKeys } from '../adapters/redis/redis-api-keys.ts';
import { Refusals } from '../command-failure.ts';
import { FILE_LOOK_MS, type ReadFile, WatchedFile } from '../config/watched-file.ts';
import type { Config, KeyPlace } from '../config.ts';
import type { AddressRange } from '../identity/address-range.ts';
import { parseKeyFile } from '../identity/api-key-records.ts';
import type { ApiKeyStore } from '../identity/api-key-store.ts';
import { ApiKeyIdentity, type ApiKeys } from '../identity/api-keys.ts';
import { apiKeyStoreIn, apiKeysIn, byDigest } from '../identity/api-keys-file.ts';
import { jsonFetcher } from '../identity/fetch-json.ts';
import { GatewayIdentity } from '../identity/gateway.ts';
import { everybody, type Identity } from '../identity/identity.ts';
import { RemoteKeys } from '../identity/issuer-keys.ts';
import { JwtIdentity } from '../identity/jwt.ts';
import { fileReporter, reporter } from '../reporter.ts';

const monotonic = () => performance.now();
const now = () => Date.now();

export function openIdentity(config: Config, gateways: AddressRange, logger: FastifyBaseLogger): Identity {
  const { identity } = config;
  switch (identity.kind) {
    case 'none':
      return everybody;
    case 'api-key':
      return new ApiKeyIdentity(openKeys(identity.file, config, logger), now);
    case 'jwt': {
      const { rules, jwksUrl } = identity;
      const fetcher = jsonFetcher();
      const keys = new RemoteKeys({
        issuer: rules.issuer,
        ...(jwksUrl === undefined ? {} : { jwksUrl }),
        fetchJson: (url) => fetcher.fetch(url),
        now: monotonic,
        onFailure: reporter(logger, 'the keys of JWT_ISSUER cannot be read'),
      });
      return new JwtIdentity({ find: keys.find, renew: () => keys.renew(), close: () => fetcher.close() }, rules, now);
    }
    case 'gateway':
      return new GatewayIdentity(gateways, identity.rules);
    default:
      return identity satisfies never;
  }
}

function openKeys(file: ReadFile | undefined, { redis }: Config, logger: FastifyBaseLogger): ApiKeys {
  if (file) {
    const parse = (text: string) => byDigest(parseKeyFile(text));
    const { path, text: first } = file;
    const onChange = fileReporter('API_KEYS_FILE', logger);
    return apiKeysIn(new WatchedFile({ path, first, parse, everyMs: FILE_LOOK_MS, onChange }));
  }
  if (!redis) throw new Error('AUTH=api-key without a place for keys is refused by config.ts');
  return new RedisApiKeys(redis, monotonic, reporter(logger, 'redis connection'));
}

/** For whoever makes and revokes keys. Fails when there is no place for them, or when it cannot be reached. */
export async function openApiKeyStore({ file, redis }: KeyPlace): Promise<ApiKeyStore> {
  if (file !== undefined) return apiKeyStoreIn(file);
  if (!redis) throw new Error('There is no place for keys: name a file (API_KEYS_FILE), or a Redis (REDIS_URL).');
  const refusals = new Refusals();
  const keys = new RedisApiKeys(redis, monotonic, refusals.note);
  await refusals.explain(keys.reached());
  return keys;
}
