// From bytes in pieces to text: what is cut in the middle of a character waits for its rest. A streaming TextDecoder does the
// same with a converter of its own for each stream, which takes kilobytes and several times as long.

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MARK = '\ufeff';

export class Utf8Stream {
  /** The beginning of a character, at most three bytes. */
  #rest: Uint8Array = NOTHING;
  #isFirst = true;

  /** Fails with a TypeError when the bytes are no UTF-8. A byte order mark at the beginning is left out. */
  push(bytes: Uint8Array): string {
    const whole = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = whole.length - unfinishedBytes(whole);
    // A copy, since the bytes are a part of something larger.
    this.#rest = end === whole.length ? NOTHING : new Uint8Array(whole.subarray(end));
    const text = decoder.decode(end === whole.length ? whole : whole.subarray(0, end));
    if (text === '' || !this.#isFirst) return text;
    this.#isFirst = false;
    return text.startsWith(MARK) ? text.slice(1) : text;
  }

  /** What is left, which is nothing. Fails with a TypeError when a character has no end. */
  end(): string {
    return decoder.decode(this.#rest);
  }
}

const NOTHING = new Uint8Array();

/** Of a character at the end that may still be completed. */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count += 1) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return count < lengthOf(byte) ? count : 0;
  }
  return 0;
}

/** Of the character that begins with this byte. */
function lengthOf(first: number): number {
  if (first >= 0xf0) return 4;
  return first >= 0xe0 ? 3 : 2;
}
