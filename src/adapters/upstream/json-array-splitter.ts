// The elements of a JSON array that is still being written: without `alt=sse` a streamed answer is one array, and each of
// its elements is an event.

import { ChatError } from '../../chat/errors.ts';
import { protocolError } from './parse-json.ts';

export class JsonArraySplitter {
  readonly #elementSizeMax: number;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The element that has not ended yet, from earlier texts. */
  #pieces: string[] = [];
  #size = 0;
  /** Where the array ended in the text that was pushed last. */
  #end: number | undefined;

  constructor(elementSizeMax: number) {
    this.#elementSizeMax = elementSizeMax;
  }

  /** Behind the closing bracket, once that has come. */
  get end(): number | undefined {
    return this.#end;
  }

  /** Gives the text of each element as soon as it is complete. The first character of the first text is the bracket. */
  *push(text: string, start: number): Generator<string> {
    let from = start;
    for (let at = start; at < text.length; at += 1) {
      const ending = this.#step(text[at] ?? '');
      if (ending === undefined) continue;
      const isWhole = ending === 'with';
      const element = this.#take(text.slice(from, isWhole ? at + 1 : at));
      from = at + 1;
      if (element !== '') yield element;
      if (this.#depth > 0) continue;
      this.#end = from;
      return;
    }
    this.#keep(text.slice(from));
  }

  /** Whether an element ends with this character, or before it. */
  #step(character: string): 'with' | 'before' | undefined {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (character === '\\') this.#isEscaped = true;
      else if (character === '"') this.#isInString = false;
      return undefined;
    }
    switch (character) {
      case '"':
        this.#isInString = true;
        return undefined;
      case '[':
      case '{':
        this.#depth += 1;
        // Before the first element there is nothing but the bracket.
        return this.#depth === 1 ? 'before' : undefined;
      case ']':
      case '}':
        this.#depth -= 1;
        if (this.#depth === 1) return 'with';
        if (this.#depth > 0) return undefined;
        if (character === '}') throw protocolError('something that is not JSON');
        return 'before';
      case ',':
        return this.#depth === 1 ? 'before' : undefined;
      default:
        return undefined;
    }
  }

  #take(last: string): string {
    this.#keep(last);
    const element = this.#pieces.join('').trim();
    this.#pieces = [];
    this.#size = 0;
    return element;
  }

  #keep(piece: string): void {
    if (piece === '') return;
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size <= this.#elementSizeMax) return;
    const limit = this.#elementSizeMax;
    throw new ChatError('answer_too_large', `One event of the model is larger than ${limit} characters.`);
  }
}
