// A real redis-server of the tests' own: on a free port, in a temporary folder, with every write in its AOF before it
// is answered. It can be stopped, killed, frozen, and started again with what it had.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { type GuardedProcess, startGuarded } from './guarded-process.ts';
import { until } from './until.ts';

export interface RedisServerOptions {
  readonly port?: number;
  readonly args?: readonly string[];
  /** It has a configuration file, so that what Sentinel makes it rewrite there holds when it starts again. */
  readonly keepsConfig?: boolean;
}

/** Somebody else may take a free port before Redis does. */
const PORT_TRIES = 5;

export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #configFile: string | undefined;
  #process: GuardedProcess | undefined;

  private constructor(port: number, folder: string, args: readonly string[], configFile?: string) {
    this.port = port;
    this.#folder = folder;
    this.#args = args;
    this.#configFile = configFile;
  }

  /** Fails when redis-server is not on the PATH. */
  static async start({ port, args = [], keepsConfig = false }: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'csp-test-redis-'));
    const configFile = keepsConfig ? join(folder, 'redis.conf') : undefined;
    if (configFile !== undefined) await writeFile(configFile, '');
    for (let tries = 1; ; tries += 1) {
      const server = new RedisServer(port ?? (await freePort()), folder, args, configFile);
      try {
        await server.start();
        return server;
      } catch (error) {
        const isTaken = String(error).includes('Address already in use');
        if (port === undefined && isTaken && tries < PORT_TRIES) continue;
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (!this.#process) throw new Error('redis-server has not been started');
    return this.#process.pid;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  /** Also again, after `kill` or `shutDown`: with the data it had. */
  async start(): Promise<void> {
    const settings = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    const aof = ['--appendonly', 'yes', '--appendfsync', 'always', '--protected-mode', 'no', '--daemonize', 'no'];
    const file = this.#configFile === undefined ? [] : [this.#configFile];
    const process = await startGuarded('redis-server', [...file, ...settings, ...aof, ...this.#args], this.#folder);
    this.#process = process;
    await until('redis-server answers', async () => {
      if (process.hasExited) throw new Error(`redis-server ended: ${process.output.slice(-500)}`);
      return answers(this.port);
    });
  }

  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  async shutDown(): Promise<void> {
    await this.#process?.end();
  }

  pause(): void {
    this.#process?.signal('SIGSTOP');
  }

  resume(): void {
    this.#process?.signal('SIGCONT');
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.#process?.end('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A plain client for the tests themselves, to look and to disturb. The caller disconnects it. */
  client(): Redis {
    const client = new Redis(this.port, '127.0.0.1');
    // The server may be killed under it.
    client.on('error', () => undefined);
    return client;
  }
}

async function answers(port: number): Promise<boolean> {
  const client = new Redis(port, '127.0.0.1', {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: 500,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
