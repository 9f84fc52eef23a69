// A TCP proxy in front of a Redis server, for what happens on the way: a reply that is lost after its command was
// executed, and a moment between two commands of one client.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Trap {
  /** Bytes of the command that it waits for: a command's name, a script's digest. */
  readonly bytes: string;
  readonly spring: (chunk: Buffer, client: Socket, upstream: Socket) => void;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export class RedisProxy {
  readonly #server: Server;
  readonly #target: Address;
  readonly #sockets = new Set<Socket>();
  #trap: Trap | undefined;

  private constructor(server: Server, target: Address) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#join(client));
  }

  static async start(target: Address): Promise<RedisProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new RedisProxy(server, target);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a proxy without a port');
    return address.port;
  }

  /**
   * The next command with these bytes reaches Redis and is executed there; its reply, and all others of that
   * connection, are swallowed, and the connection is cut. Resolves when that has happened.
   */
  loseReplyTo(bytes: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#trap = {
      bytes,
      spring: (chunk, client, upstream) => {
        upstream.removeAllListeners('data');
        upstream.resume();
        // Redis executes what it has read before it sees the end, and only then closes.
        upstream.end(chunk);
        upstream.once('close', () => {
          client.destroy();
          resolve();
        });
      },
    };
    return promise;
  }

  /** Before the next command with these bytes reaches Redis, `task` is done. Resolves when it has been. */
  doBefore(bytes: string, task: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#trap = {
      bytes,
      spring: (chunk, client, upstream) => {
        client.pause();
        task().then(() => {
          upstream.write(chunk);
          client.resume();
          resolve();
        }, reject);
      },
    };
    return promise;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const upstream = connect({ ...this.#target, allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      // The other side is told by `close`; what went wrong is what the test is about.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        (socket === client ? upstream : client).destroy();
      });
    }
    upstream.on('data', (chunk) => client.write(chunk));
    upstream.on('end', () => client.end());
    client.on('end', () => upstream.end());
    client.on('data', (chunk: Buffer) => {
      const trap = this.#trap;
      if (!trap || !chunk.includes(trap.bytes)) {
        upstream.write(chunk);
        return;
      }
      this.#trap = undefined;
      trap.spring(chunk, client, upstream);
    });
  }
}
