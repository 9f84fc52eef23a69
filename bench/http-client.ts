// The client of the benchmarks: it costs little beside what it measures. One connection makes one call at a time, and reads
// no more of an answer than how many events it holds, when they came, and where it ends.

import { connect, type Socket } from 'node:net';

export interface Call {
  readonly port: number;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  /** Pieces of text of the model that were in it, each counted once. */
  readonly events: number;
  readonly head: string;
  /** Only when it was asked for. */
  readonly text: string;
}

export interface CallOptions {
  /** With the bytes of every read of the body, and the time of it. */
  readonly onBytes?: (bytes: Buffer, atMs: number) => void;
  readonly keepsText?: boolean;
}

/** Begins each piece of text of the model, and is in nothing else. */
const MARK = '@'.charCodeAt(0);
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
/** Some peers write a chunk of their own for the end. */
const TAIL_BYTES = LAST_CHUNK.length;

export class Connection {
  readonly #socket: Socket;
  #take: ((bytes: Buffer) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #port: number;

  constructor(port: number) {
    this.#port = port;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes) => this.#take?.(bytes));
    this.#socket.on('error', (error) => this.#fail?.(error));
    this.#socket.on('close', () => this.#fail?.(new Error(`the connection to ${this.#port} has been closed`)));
  }

  close(): void {
    this.#fail = undefined;
    this.#socket.destroy();
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Fails when the answer ends before its end. */
  call(call: Call, { onBytes, keepsText = false }: CallOptions = {}): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    let head: string | undefined;
    let early: Buffer = Buffer.alloc(0);
    let left: number | undefined;
    let tail: Buffer = Buffer.alloc(0);
    let events = 0;
    const texts: Buffer[] = [];
    const done = () => {
      this.#take = undefined;
      this.#fail = undefined;
      const status = Number(head?.slice(9, 12));
      resolve({ status, events, head: head ?? '', text: Buffer.concat(texts).toString('utf8') });
    };
    const takeBody = (bytes: Buffer) => {
      for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + 1)) events += 1;
      if (onBytes) onBytes(bytes, performance.timeOrigin + performance.now());
      if (keepsText) texts.push(bytes);
      if (left !== undefined) {
        left -= bytes.length;
        if (left <= 0) done();
        return;
      }
      tail =
        bytes.length >= TAIL_BYTES ? bytes.subarray(-TAIL_BYTES) : Buffer.concat([tail, bytes]).subarray(-TAIL_BYTES);
      if (tail.equals(LAST_CHUNK)) done();
    };
    this.#fail = reject;
    this.#take = (bytes) => {
      if (head !== undefined) return takeBody(bytes);
      early = early.length === 0 ? bytes : Buffer.concat([early, bytes]);
      const end = early.indexOf(HEAD_END);
      if (end === -1) return;
      head = early.toString('latin1', 0, end);
      const length = /^content-length: *(\d+)/im.exec(head)?.[1];
      if (length !== undefined) left = Number(length);
      else if (/ 204 /.test(head)) left = 0;
      const rest = early.subarray(end + 2);
      // With the line end before it: the last chunk may be the only one.
      if (rest.length > 2 || left === 0) takeBody(left === undefined ? rest : rest.subarray(2));
    };
    this.#socket.write(requestText(call));
    return promise;
  }
}

function requestText({ port, method, path, headers = {}, body }: Call): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const content =
    body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join('')}${content}\r\n${body ?? ''}`;
}
