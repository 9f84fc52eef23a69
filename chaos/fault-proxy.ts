// A TCP proxy that can do to a connection what networks do: delay, cut, swallow, throttle, lose one direction.

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
}

const SLICES_PER_SECOND = 20;

export class FaultProxy {
  readonly #server: Server;
  readonly #target: Address;
  readonly #pairs = new Set<Pair>();
  #fault: LinkFault | undefined;
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
    const pair = { client, server, replyBytes: 0, hasLostReplies: false };
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
      to.end();
    } catch {
      destroy(pair);
    }
  }

  async #pass(pair: Pair, direction: 'request' | 'reply', chunk: Buffer, to: Socket): Promise<void> {
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
