// The way to Redis: options spelled out, a timer on every command, foreign errors translated once.

import { Cluster, type ClusterOptions, Redis } from 'ioredis';
import { ChatError } from '../../chat/errors.ts';
import type { Script } from './scripts.ts';

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

export type RedisArgument = string | number | Uint8Array;

export class RedisConnection {
  readonly #client: Redis | Cluster;
  readonly #timeoutMs: number;

  constructor(config: RedisConfig, onError: (error: Error) => void) {
    this.#client = connect(config);
    this.#timeoutMs = config.commandTimeoutMs;
    this.#client.on('error', onError);
  }

  /** One command; bulk replies are Buffers. Fails with `store_unavailable` or `internal`. */
  call(command: string, ...args: readonly RedisArgument[]): Promise<unknown> {
    return this.#timed(this.#send(command, args));
  }

  /** One script; the reply's first word is its outcome. Loads the script where it is missing. */
  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<readonly unknown[]> {
    return this.#timed(this.#evaluate(script, keys, args)) as Promise<readonly unknown[]>;
  }

  close(): void {
    this.#client.disconnect(false);
  }

  async #evaluate(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#send('EVALSHA', [script.sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return this.#send('EVAL', [script.lua, keys.length, ...keys, ...args]);
    }
  }

  async #send(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    if (this.#client instanceof Cluster && this.#client.status !== 'ready') {
      throw new ChatError('store_unavailable', 'The store of sessions cannot be reached.');
    }
    const sendable = args.map((arg) => (arg instanceof Uint8Array ? asBuffer(arg) : arg));
    return this.#client.callBuffer(command, ...sendable);
  }

  /**
   * ioredis has promises that never settle (redis/ioredis#2193) and retries longer than a client waits, so every
   * command has a timer of its own. The command may still be executed later: every write is safe to be repeated.
   */
  async #timed(reply: Promise<unknown>): Promise<unknown> {
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      timeout.reject(new ChatError('store_unavailable', 'The store of sessions did not answer in time.'));
    }, this.#timeoutMs);
    try {
      return await Promise.race([reply, timeout.promise]);
    } catch (error) {
      throw translate(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Replies by which a healthy script or command says that the server cannot serve now. */
const UNAVAILABLE =
  /^(OOM|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MISCONF|NOAUTH|WRONGPASS|NOPERM|MOVED|ASK) ?/;

function translate(error: unknown): ChatError {
  if (error instanceof ChatError) return error;
  // ioredis hangs the command on its errors, and with it contents, which must not reach a log.
  if (error instanceof Error && 'command' in error) delete error.command;
  const isReply = error instanceof Error && error.name === 'ReplyError';
  if (isReply && !UNAVAILABLE.test(error.message)) {
    return new ChatError('internal', 'The service failed unexpectedly.', { cause: error });
  }
  return new ChatError('store_unavailable', 'The store of sessions cannot be reached.', { cause: error });
}

function connect(config: RedisConfig): Redis | Cluster {
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
