// How clients of Redis are made: where it is, and all options spelled out.

import { Cluster, type ClusterOptions, Redis } from 'ioredis';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisConfig {
  readonly target:
    | { readonly kind: 'single'; readonly address: RedisAddress; readonly db: number }
    | { readonly kind: 'sentinel'; readonly sentinels: readonly RedisAddress[]; readonly master: string }
    | { readonly kind: 'cluster'; readonly nodes: readonly RedisAddress[] };
  readonly username?: string;
  readonly password?: string;
  readonly sentinelPassword?: string;
  /** Certificates of private authorities, PEM; an empty list trusts the system's. Absent: no TLS. */
  readonly tls?: { readonly authorities: readonly string[] };
  /** `host:port` as the servers announce it → as it is reached from here. */
  readonly natMap?: Readonly<Record<string, RedisAddress>>;
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
}

export function connect(config: RedisConfig): Redis | Cluster {
  const { target } = config;
  const options = commonOptions(config);
  switch (target.kind) {
    case 'single':
      return new Redis({ ...options, host: target.address.host, port: target.address.port, db: target.db });
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: [...target.sentinels],
        name: target.master,
        role: 'master',
        sentinelRetryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
        sentinelReconnectStrategy: () => 1000,
        failoverDetector: true,
        ...(config.sentinelPassword === undefined ? {} : { sentinelPassword: config.sentinelPassword }),
        ...(config.tls ? { sentinelTLS: tlsOptions(config.tls), enableTLSForSentinelMode: true } : {}),
      });
    case 'cluster':
      return new Cluster([...target.nodes], {
        redisOptions: options,
        // `false` also refuses what comes while the connection to one node is being made, ioredis' own ready check
        // among it: the cluster was found in the second or tenth attempt only. `#send` fails fast instead.
        enableOfflineQueue: true,
        enableReadyCheck: true,
        enableAutoPipelining: false,
        shardedSubscribers: true,
        slotsRefreshInterval: 5000,
        slotsRefreshTimeout: 2000,
        maxRedirections: 16,
        retryDelayOnMoved: 50,
        retryDelayOnTryAgain: 100,
        retryDelayOnFailover: 100,
        retryDelayOnClusterDown: 100,
        clusterRetryStrategy: (attempt) => Math.min(attempt * 100, 1000),
        ...(config.natMap ? { natMap: { ...config.natMap } } : {}),
        ...(config.tls ? { dnsLookup: passThrough } : {}),
      });
    default:
      return target satisfies never;
  }
}

/**
 * A client for subscriptions. Once it has subscribed, a connection can do nothing else; a cluster keeps such connections,
 * one for each shard, by itself.
 */
export function connectSubscriber(requests: Redis | Cluster): Redis | Cluster {
  if (requests instanceof Cluster) return requests;
  // It waits for as long as it takes: who watches has a timer of its own. `Doorbells` subscribes again.
  return requests.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, autoResubscribe: false });
}

function commonOptions(config: RedisConfig) {
  return {
    protocol: 2 as const,
    lazyConnect: false,
    enableReadyCheck: true,
    // Fail fast: what cannot be sent now is refused, not queued without a bound.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    enableAutoPipelining: false,
    // Safe because every write is idempotent; `false` leaves promises pending for ever (redis/ioredis#2193).
    autoResendUnfulfilledCommands: true,
    connectTimeout: 2000,
    keepAlive: 10_000,
    noDelay: true,
    // `CLIENT SETINFO` is unknown to Redis 7.0, and one command more that a user would need (deploy/redis-users.acl).
    disableClientInfo: true,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt - 1, 5), 1000) + Math.random() * 100,
    // A demoted master answers READONLY until it is left (2: reconnect and send again).
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (2 as const) : false),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    ...(config.tls ? { tls: tlsOptions(config.tls) } : {}),
    ...(config.natMap ? { natMap: { ...config.natMap } } : {}),
  };
}

/** With TLS the name has to reach the certificate check, so a cluster's nodes keep theirs. */
const passThrough: NonNullable<ClusterOptions['dnsLookup']> = (address, callback) => callback(null, address);

function tlsOptions(tls: NonNullable<RedisConfig['tls']>): { ca?: string[] } {
  return tls.authorities.length > 0 ? { ca: [...tls.authorities] } : {};
}
