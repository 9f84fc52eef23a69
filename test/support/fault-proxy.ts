// A TCP proxy that can do to a connection what networks do: delay, cut, swallow, throttle, lose one direction; and, to one
// command among all, lose or delay its reply after it was executed, or do something just before it arrives.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type LinkFault =
  | { readonly kind: 'latency'; readonly ms: number }
  /** What is open is closed, and what is opened is closed at once. */
  | { readonly kind: 'cut' }
  /** Nothing is forwarded and nothing is closed; what was sent arrives when the fault is over. */
  | { readonly kind: 'blackHole' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** Requests arrive and are executed; replies are lost, and their connections with them when the fault is over. */
  | { readonly kind: 'halfOpen' }
  /** Each connection is reset after so many more bytes of replies. */
  | { readonly kind: 'resetAfter'; readonly bytes: number };

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  replyBytes: number;
  hasLostReplies: boolean;
  /** It ends with the command that the server is at: what comes after it is swallowed, both ways. */
  isEnding: boolean;
  /** Replies wait for it. */
  repliesDue: Promise<void>;
}

interface Trap {
  /** Bytes of the command that it waits for: a command's name, a script's digest. */
  readonly bytes: string;
  /** Passes the command on, in its way. */
  readonly spring: (pair: Pair, command: Buffer) => Promise<void>;
}

const SLICES_PER_SECOND = 20;
const NOW = Promise.resolve();

export class FaultProxy {
  readonly #server: Server;
  readonly #target: Address;
  readonly #pairs = new Set<Pair>();
  #fault: LinkFault | undefined;
  #trap: Trap | undefined;
  #healed = Promise.withResolvers<void>();

  private constructor(server: Server, target: Address) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#join(client));
  }

  static async start(target: Address): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new FaultProxy(server, target);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a proxy without a port');
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** From now on, until `heal`. */
  inflict(fault: LinkFault): void {
    this.heal();
    this.#healed = Promise.withResolvers<void>();
    this.#fault = fault;
    for (const pair of this.#pairs) {
      pair.replyBytes = 0;
      if (fault.kind === 'cut') destroy(pair);
    }
  }

  heal(): void {
    this.#fault = undefined;
    this.#healed.resolve();
    for (const pair of this.#pairs) if (pair.hasLostReplies) destroy(pair);
  }

  /**
   * The next command with these bytes reaches the server and is executed there; its reply, and all others of that
   * connection, are swallowed, and the connection is cut. Resolves when that has happened.
   */
  loseReplyTo(bytes: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const spring = async (pair: Pair, command: Buffer) => {
      pair.isEnding = true;
      pair.server.once('close', resolve);
      // Redis executes what it has read before it sees the end, and only then closes.
      pair.server.end(command);
    };
    this.#trap = { bytes, spring };
    return promise;
  }

  /** Same, but the reply and all that follow on its connection arrive, so much later. Resolves when the command has passed. */
  delayReplyTo(bytes: string, ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const spring = async (pair: Pair, command: Buffer) => {
      pair.repliesDue = delay(ms);
      await write(pair.server, command);
      resolve();
    };
    this.#trap = { bytes, spring };
    return promise;
  }

  /** Before the next command with these bytes reaches the server, `task` is done. Resolves when it has been. */
  doBefore(bytes: string, task: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const spring = async (pair: Pair, command: Buffer) => {
      await task().then(resolve, reject);
      await write(pair.server, command);
    };
    this.#trap = { bytes, spring };
    return promise;
  }

  /** The command that was waited for did not come. */
  disarm(): void {
    this.#trap = undefined;
  }

  /** Resets what is open now; new connections are welcome. */
  resetAll(): void {
    for (const pair of this.#pairs) destroy(pair);
  }

  async stop(): Promise<void> {
    this.heal();
    this.#server.close();
    for (const pair of this.#pairs) destroy(pair);
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    // Both ends see errors as a close, which is all that a proxy has to pass on.
    client.on('error', () => undefined);
    if (this.#fault?.kind === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.#target, allowHalfOpen: true });
    server.on('error', () => undefined);
    const pair = { client, server, replyBytes: 0, hasLostReplies: false, isEnding: false, repliesDue: NOW };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.once('close', () => {
        this.#pairs.delete(pair);
        destroy(pair);
      });
    }
    void this.#forward(pair, 'request');
    void this.#forward(pair, 'reply');
  }

  async #forward(pair: Pair, direction: 'request' | 'reply'): Promise<void> {
    const [from, to] = direction === 'request' ? [pair.client, pair.server] : [pair.server, pair.client];
    try {
      // The other direction may go on after the end of this one.
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        await this.#pass(pair, direction, chunk as Buffer, to);
      }
      await this.#blackHoleOver();
      if (pair.isEnding) destroy(pair);
      else to.end();
    } catch {
      destroy(pair);
    }
  }

  async #pass(pair: Pair, direction: 'request' | 'reply', chunk: Buffer, to: Socket): Promise<void> {
    if (pair.isEnding) return;
    const trap = this.#trap;
    if (direction === 'request' && trap && chunk.includes(trap.bytes)) {
      this.#trap = undefined;
      await trap.spring(pair, chunk);
      return;
    }
    if (direction === 'reply') await pair.repliesDue;
    const fault = this.#fault;
    switch (fault?.kind) {
      case undefined:
        break;
      case 'latency':
        await Promise.race([delay(fault.ms), this.#healed.promise]);
        break;
      case 'cut':
        destroy(pair);
        return;
      case 'blackHole':
        await this.#blackHoleOver();
        break;
      case 'slow':
        await this.#slowly(chunk, to, fault.bytesPerSecond);
        return;
      case 'halfOpen':
        if (direction === 'request') break;
        pair.hasLostReplies = true;
        return;
      case 'resetAfter': {
        if (direction === 'request') break;
        const left = fault.bytes - pair.replyBytes;
        pair.replyBytes += chunk.length;
        if (chunk.length < left) break;
        await write(to, chunk.subarray(0, Math.max(0, left)));
        destroy(pair);
        return;
      }
      default:
        fault satisfies never;
    }
    await write(to, chunk);
  }

  async #slowly(chunk: Buffer, to: Socket, bytesPerSecond: number): Promise<void> {
    const slice = Math.max(1, Math.ceil(bytesPerSecond / SLICES_PER_SECOND));
    let sent = 0;
    while (sent < chunk.length && this.#fault?.kind === 'slow') {
      await write(to, chunk.subarray(sent, sent + slice));
      sent += slice;
      await Promise.race([delay(1000 / SLICES_PER_SECOND), this.#healed.promise]);
    }
    if (sent < chunk.length) await write(to, chunk.subarray(sent));
  }

  async #blackHoleOver(): Promise<void> {
    while (this.#fault?.kind === 'blackHole') await this.#healed.promise;
  }
}

function destroy({ client, server }: Pair): void {
  for (const socket of [client, server]) if (!socket.destroyed) socket.resetAndDestroy();
}

/** Resolves when there is room for more; rejects when the other end has gone. */
function write(socket: Socket, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) reject(new Error('the other end has gone'));
    else socket.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
