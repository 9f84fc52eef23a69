// The way to Redis: options spelled out, a timer on every command, foreign errors translated once.

import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, Command, type Redis } from 'ioredis';
import { ChatError } from '../../chat/errors.ts';
import { gatherWrites } from './gathered-writes.ts';
import { connect, connectSubscriber, type RedisConfig } from './redis-client.ts';
import type { Script } from './scripts.ts';

export type RedisArgument = string | number | Uint8Array;

/** How many keys are looked at in one step: others wait meanwhile. */
const SCANNED = 500;

/** For somebody who waits at a terminal. */
const REACH_MS = 5000;
const REACH_LOOK_MS = 100;

export class RedisConnection {
  readonly #client: Redis | Cluster;
  readonly #timeoutMs: number;

  constructor(config: RedisConfig, onError: (error: Error) => void) {
    this.#client = connect(config);
    gatherWrites(this.#client);
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

  /** Same, for a script that only reads: it is served where writes are not, for one while they are paused. */
  query(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<readonly unknown[]> {
    return this.#timed(this.#evaluate(script, keys, args, '_RO')) as Promise<readonly unknown[]>;
  }

  /** All keys that fit, of every master, page by page; one may come twice. */
  async *scan(pattern: string): AsyncGenerator<readonly string[]> {
    for (const node of this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client]) {
      let cursor = '0';
      do {
        const scanned = this.#timed(node.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED));
        const [next, keys] = (await scanned) as [string, string[]];
        yield keys;
        cursor = next;
      } while (cursor !== '0');
    }
  }

  /** The connection is made beside, and refuses commands until it stands: for commands, which can wait for it. */
  async reached(): Promise<void> {
    const deadline = performance.now() + REACH_MS;
    for (;;) {
      try {
        await this.call('PING');
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await delay(REACH_LOOK_MS);
      }
    }
  }

  /** For subscriptions; it is the caller's to close, unless it is this very connection. */
  subscriber(): Redis | Cluster {
    return connectSubscriber(this.#client);
  }

  close(): void {
    this.#client.disconnect(false);
  }

  async #evaluate(
    script: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
    kind: '' | '_RO' = '',
  ): Promise<unknown> {
    try {
      return await this.#send(`EVALSHA${kind}`, [script.sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return this.#send(`EVAL${kind}`, [script.lua, keys.length, ...keys, ...args]);
    }
  }

  async #send(name: string, args: readonly RedisArgument[]): Promise<unknown> {
    if (this.#client instanceof Cluster && this.#client.status !== 'ready') {
      throw new ChatError('store_unavailable', 'The store of sessions cannot be reached.');
    }
    const sendable = args.map((arg) => (arg instanceof Uint8Array ? asBuffer(arg) : arg));
    // As its `callBuffer` does, which goes through the list of arguments three times more.
    return this.#client.sendCommand(new Command(name, sendable, { replyEncoding: null }));
  }

  /**
   * ioredis has promises that never settle (redis/ioredis#2193) and retries longer than a client waits, so every
   * command has a timer of its own. The command may still be executed later: every write is safe to be repeated.
   */
  #timed(reply: Promise<unknown>): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      reject(new ChatError('store_unavailable', 'The store of sessions did not answer in time.'));
    }, this.#timeoutMs);
    const inTime = (settle: () => void) => {
      clearTimeout(timer);
      settle();
    };
    reply.then(
      (value) => inTime(() => resolve(value)),
      (error) => inTime(() => reject(translate(error))),
    );
    return promise;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Replies by which a healthy script or command says that the server cannot serve now; the last one is a script's NOPERM. */
const UNAVAILABLE =
  /^(OOM|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MISCONF|NOAUTH|WRONGPASS|NOPERM|MOVED|ASK|ERR The user executing the script) ?/;

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
