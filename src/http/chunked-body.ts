// The body of an answer that is written piece by piece, in the transfer coding of HTTP/1.1.

import type { ServerResponse } from 'node:http';

export interface Piece {
  readonly pieces: readonly Uint8Array[];
  /** Of all of them. */
  readonly bytes: number;
}

export function pieceOf(text: string): Piece {
  const bytes = Buffer.from(text);
  return { pieces: [bytes], bytes: bytes.length };
}

/** Writes pieces of the body as chunks of its transfer coding, each in one piece; Node would make four of it. */
export class Body {
  readonly #response: ServerResponse;
  readonly #isChunked: boolean;

  /** `response` has sent its headers. */
  constructor(response: ServerResponse) {
    this.#response = response;
    // HTTP/1.0 has no chunks: there the body ends with the connection.
    this.#isChunked = response.chunkedEncoding;
    response.chunkedEncoding = false;
  }

  write({ pieces, bytes }: Piece): void {
    this.#response.write(this.#isChunked ? chunkOf(pieces, bytes) : Buffer.concat(pieces, bytes));
  }

  end(): void {
    if (this.#isChunked) this.#response.end(LAST_CHUNK);
    else this.#response.end();
  }
}

const CRLF = '\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

function chunkOf(pieces: readonly Uint8Array[], bytes: number): Buffer {
  const head = `${bytes.toString(16)}${CRLF}`;
  const chunk = Buffer.allocUnsafe(head.length + bytes + CRLF.length);
  let at = chunk.write(head, 0, 'latin1');
  for (const piece of pieces) {
    chunk.set(piece, at);
    at += piece.length;
  }
  chunk.write(CRLF, at, 'latin1');
  return chunk;
}
