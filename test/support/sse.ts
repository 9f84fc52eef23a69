// Clients on a bare socket: they read only when they are told to, close only one half, or say what is no HTTP at all.

import { connect, type Socket } from 'node:net';
import { testIdentity } from './test-identity.ts';
import { until } from './until.ts';

export interface BareOptions {
  /** Keep the own half open when the service has closed its own. */
  readonly allowHalfOpen?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back on a bare socket, and how its connection ended. */
export class BareConnection {
  readonly socket: Socket;
  text = '';
  bytes = 0;
  /** `end`: the service has closed its half. `cut`: a reset. */
  ending: 'end' | 'cut' | undefined;

  constructor(url: string, { allowHalfOpen = false }: BareOptions = {}) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen });
    this.socket.setNoDelay(true);
    this.socket.on('data', (piece: Buffer) => {
      this.bytes += piece.length;
      // The beginning and the end of megabytes are enough to look at.
      this.text = this.text.length < 100_000 ? this.text + piece : this.text.slice(-50_000) + piece;
    });
    this.socket.on('end', () => {
      this.ending ??= 'end';
    });
    this.socket.on('error', () => {
      this.ending ??= 'cut';
    });
    this.socket.on('close', () => {
      this.ending ??= 'end';
    });
  }

  /** Resolves when the bytes have been taken by the system. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(bytes, () => resolve());
    });
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  hangUp(): void {
    this.socket.destroy();
  }

  async until(fact: string, holds: (connection: BareConnection) => boolean, deadlineMs = 10_000): Promise<void> {
    await until(fact, () => holds(this), { deadlineMs });
  }

  async ended(deadlineMs = 10_000): Promise<BareConnection> {
    await until('the connection has ended', () => this.ending, { deadlineMs });
    return this;
  }
}

/** Bytes on a bare socket, and everything that came back until the service closed it. */
export async function bareExchange(url: string, bytes: string, options: BareOptions = {}): Promise<string> {
  const connection = new BareConnection(url, options);
  await connection.write(bytes);
  await connection.ended();
  connection.hangUp();
  return connection.text;
}

/** A POST as it goes over the wire. */
export function bareRequest(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): string {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const all = {
    Host: 'localhost',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(payload)),
    ...testIdentity(headers),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${payload}`;
}

/** A stream whose client does not read before `resume`. */
export function unreadStream(url: string, session: string, body: object, options: BareOptions = {}): BareConnection {
  const connection = new BareConnection(url, options);
  connection.pause();
  const headers = { Connection: 'close', ...options.headers };
  void connection.write(bareRequest(`${session}/messages/stream`, body, headers));
  return connection;
}

/** The same for what is only watched. */
export function unreadGet(url: string, path: string, options: BareOptions = {}): BareConnection {
  const connection = new BareConnection(url, options);
  connection.pause();
  const identity = Object.entries(testIdentity({})).map(([name, value]) => `${name}: ${value}\r\n`);
  void connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${identity.join('')}Connection: close\r\n\r\n`);
  return connection;
}
