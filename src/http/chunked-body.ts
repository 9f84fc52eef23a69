// The body of an answer that is written piece by piece, in the transfer coding of HTTP/1.1.

import type { ServerResponse } from 'node:http';

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

  write(text: string): void {
    const bytes = Buffer.byteLength(text);
    // Most is ASCII, which is copied as it is.
    const encoding = bytes === text.length ? 'latin1' : 'utf8';
    this.#response.write(this.#isChunked ? `${bytes.toString(16)}${CRLF}${text}${CRLF}` : text, encoding);
  }

  end(): void {
    if (this.#isChunked) this.#response.end(LAST_CHUNK, 'latin1');
    else this.#response.end();
  }
}

const CRLF = '\r\n';
const LAST_CHUNK = '0\r\n\r\n';
