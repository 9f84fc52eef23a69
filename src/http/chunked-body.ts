// The body of an answer that is written piece by piece, in the transfer coding of HTTP/1.1.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const CRLF = '\r\n';
const LAST_CHUNK = '0\r\n\r\n';

/**
 * Writes pieces of the body as chunks of its transfer coding, each in one go: Node would make four of one. The first one goes
 * through the response, with the headers before it; what follows goes to the socket itself, past all that Node does for each write.
 */
export class Body {
  readonly #response: ServerResponse;
  readonly #onDrain: () => void;
  readonly #isChunked: boolean;
  #socket: Socket | undefined;

  /** `response` has its headers. `onDrain` is called when it takes more again. */
  constructor(response: ServerResponse, onDrain: () => void) {
    this.#response = response;
    this.#onDrain = onDrain;
    // HTTP/1.0 has no chunks: there the body ends with the connection.
    this.#isChunked = response.chunkedEncoding;
    response.chunkedEncoding = false;
    response.on('drain', onDrain);
  }

  /** Not when it would wait in memory, after the end, or when there is nobody any more. */
  get takesMore(): boolean {
    const { destroyed, writableEnded, writableNeedDrain } = this.#response;
    if (destroyed || writableEnded || writableNeedDrain) return false;
    // A client that closes its half has Node close the other one, with what still waits; more would destroy that.
    return !this.#socket || (this.#socket.writable && !this.#socket.writableNeedDrain);
  }

  write(text: string): void {
    this.#write(text, '');
  }

  /** The last piece, which may be empty. */
  end(text: string): void {
    this.#write(text, LAST_CHUNK);
    this.#response.end();
  }

  /** Nothing is written any more. */
  release(): void {
    this.#response.off('drain', this.#onDrain);
    this.#socket?.off('drain', this.#onDrain);
  }

  #write(text: string, after: string): void {
    const bytes = Buffer.byteLength(text);
    const chunk = text === '' ? '' : `${bytes.toString(16)}${CRLF}${text}${CRLF}`;
    const piece = this.#isChunked ? chunk + after : text;
    if (piece === '') return;
    // Most is ASCII, of which Node writes three times as much without memory of its own.
    const encoding = bytes === text.length ? 'latin1' : 'utf8';
    if (this.#socket) {
      this.#socket.write(piece, encoding);
      return;
    }
    this.#response.write(piece, encoding);
    // None yet: it stands behind the answer to an earlier request, and Node keeps what it says.
    const { socket } = this.#response;
    if (!socket) return;
    this.#socket = socket;
    socket.on('drain', this.#onDrain);
  }
}
