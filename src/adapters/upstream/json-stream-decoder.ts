// From the bytes of a streamed answer to JSON values, whatever the upstream does to them: any slicing (also inside a
// UTF-8 sequence or between CR and LF), CR, LF or CRLF, a last event without its blank line, several `data:` lines, an
// error as bare JSON between or after the events, or a JSON array instead of events, each of its elements as it comes. What cannot be read is an error,
// never silence.

import { ChatError } from '../../chat/errors.ts';
import { JsonArraySplitter } from './json-array-splitter.ts';
import { parseJson, protocolError } from './parse-json.ts';
import { Utf8Stream } from './utf8-stream.ts';

export interface DecoderLimits {
  /** One event, in characters. */
  readonly eventSizeMax: number;
}

/**
 * `push` bytes, be given values; `end` when the body has ended cleanly. Values come one by one, so that those before an error
 * in the same bytes are not lost. Fails with `model_protocol_error`, `answer_too_large`.
 */
export class JsonStreamDecoder {
  readonly #utf8 = new Utf8Stream();
  readonly #limits: DecoderLimits;
  readonly #take: (value: unknown) => void;
  /** The line that has not ended yet, in pieces: joined once, so that a long line costs no repeated copying. */
  #pieces: string[] = [];
  #size = 0;
  /** A CR was the last character: an LF right after it belongs to the same line end. */
  #hasOpenCr = false;
  #data: string[] = [];
  #bare: string[] = [];
  #array: JsonArraySplitter | undefined;

  constructor(limits: DecoderLimits, take: (value: unknown) => void) {
    this.#limits = limits;
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    this.#feed(this.#decode(() => this.#utf8.push(bytes)));
  }

  end(): void {
    this.#decode(() => this.#utf8.end());
    if (this.#array) throw protocolError('an array that has no end');
    this.#endLine();
    this.#endBlock();
    if (this.#bare.length > 0) this.#takeBare();
  }

  #decode<Text>(decode: () => Text): Text {
    try {
      return decode();
    } catch (cause) {
      throw protocolError('bytes that are not UTF-8', cause);
    }
  }

  #feed(text: string): void {
    let start = this.#hasOpenCr && text.startsWith('\n') ? 1 : 0;
    if (text !== '') this.#hasOpenCr = false;
    const lineEnd = /\r\n|\n|\r/g;
    while (start < text.length) {
      if (this.#array || this.#isArrayAt(text, start)) {
        start = this.#feedArray(text, start);
        continue;
      }
      lineEnd.lastIndex = start;
      const match = lineEnd.exec(text);
      if (!match) break;
      this.#add(text.slice(start, match.index));
      start = match.index + match[0].length;
      this.#hasOpenCr = match[0] === '\r' && start === text.length;
      this.#endLine();
    }
    this.#add(text.slice(start));
  }

  /** An array instead of events, or behind them: an error can come in one. */
  #isArrayAt(text: string, start: number): boolean {
    return text[start] === '[' && this.#pieces.length + this.#data.length + this.#bare.length === 0;
  }

  /** Its elements are events: each is given when it is complete. Returns where to go on in the text. */
  #feedArray(text: string, start: number): number {
    this.#array ??= new JsonArraySplitter(this.#limits.eventSizeMax);
    const array = this.#array;
    for (const element of array.push(text, start)) this.#take(parseJson(element));
    if (array.end === undefined) return text.length;
    this.#array = undefined;
    return array.end;
  }

  #add(piece: string): void {
    if (piece === '') return;
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size > this.#limits.eventSizeMax) {
      throw new ChatError(
        'answer_too_large',
        `One event of the model is larger than ${this.#limits.eventSizeMax} characters.`,
      );
    }
  }

  #endLine(): void {
    const line = this.#pieces.length === 1 ? (this.#pieces[0] ?? '') : this.#pieces.join('');
    this.#pieces = [];
    if (line === '') this.#endBlock();
    else if (line.startsWith('data:')) {
      // An event beside bare text: the text was complete by itself, or it is garbage.
      if (this.#bare.length > 0) this.#takeBare();
      this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
    } else if (!/^(?::|event:|id:|retry:)/.test(line)) this.#bare.push(line);
  }

  /** A blank line ends an event. Bare JSON may hold blank lines: it ends where it parses. */
  #endBlock(): void {
    if (this.#bare.length === 0) this.#size = 0;
    if (this.#data.length === 0) return;
    const text = this.#data.join('\n');
    this.#data = [];
    this.#take(parseJson(text));
  }

  #takeBare(): void {
    const text = this.#bare.join('\n');
    this.#bare = [];
    this.#size = 0;
    this.#take(parseJson(text));
  }
}
