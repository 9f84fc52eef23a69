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
  readonly #pieces: string[] = [];
  #size = 0;
  /** A CR was the last character: an LF right after it belongs to the same line end. */
  #hasOpenCr = false;
  readonly #data: string[] = [];
  #bare: string[] = [];
  #array: JsonArraySplitter | undefined;

  constructor(limits: DecoderLimits, take: (value: unknown) => void) {
    this.#limits = limits;
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    this.#feed(this.#decode(bytes));
  }

  end(): void {
    this.#decode(undefined);
    if (this.#array) throw protocolError('an array that has no end');
    this.#endLine();
    this.#endBlock();
    if (this.#bare.length > 0) this.#takeBare();
  }

  /** Without bytes: nothing may be left of the ones before. */
  #decode(bytes: Uint8Array | undefined): string {
    try {
      return bytes ? this.#utf8.push(bytes) : this.#utf8.end();
    } catch (cause) {
      throw protocolError('bytes that are not UTF-8', cause);
    }
  }

  #feed(text: string): void {
    let start = this.#hasOpenCr && text.startsWith('\n') ? 1 : 0;
    if (text !== '') this.#hasOpenCr = false;
    const ends = new LineEnds(text);
    while (start < text.length) {
      if (this.#array || this.#isArrayAt(text, start)) {
        start = this.#feedArray(text, start);
        continue;
      }
      const end = ends.after(start);
      if (end === -1) break;
      this.#add(text.slice(start, end));
      const isCr = text[end] === '\r';
      start = end + (isCr && text[end + 1] === '\n' ? 2 : 1);
      this.#hasOpenCr = isCr && end + 1 === text.length;
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
    this.#pieces.length = 0;
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
    const text = this.#data.length === 1 ? (this.#data[0] ?? '') : this.#data.join('\n');
    this.#data.length = 0;
    this.#take(parseJson(text));
  }

  #takeBare(): void {
    const text = this.#bare.join('\n');
    this.#bare = [];
    this.#size = 0;
    this.#take(parseJson(text));
  }
}

/** Where the lines of a text end, whichever of the two characters ends them; each is looked for once. */
class LineEnds {
  readonly #text: string;
  #lf = -2;
  #cr = -2;

  constructor(text: string) {
    this.#text = text;
  }

  /** The first one at or after `start`, which never goes back; -1 when there is none. */
  after(start: number): number {
    if (this.#lf !== -1 && this.#lf < start) this.#lf = this.#text.indexOf('\n', start);
    if (this.#cr !== -1 && this.#cr < start) this.#cr = this.#text.indexOf('\r', start);
    return this.#lf === -1 || (this.#cr !== -1 && this.#cr < this.#lf) ? this.#cr : this.#lf;
  }
}
