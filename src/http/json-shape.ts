// What the bytes of a JSON text tell before anything is built from them, in one pass: deep nesting and many small values cost
// a parser, and everything after it, far more than their bytes.

export interface JsonShape {
  readonly depth: number;
  /** How many there may be: every member and item, counted by what stands between them. */
  readonly values: number;
  /** Some number may be larger than a double: it has hundreds of digits, or an exponent. */
  readonly mayOverflow: boolean;
}

/** Of numbers without an exponent. */
const DIGITS_MAX = 300;

/** What is no JSON has some shape, too; it is the parser's to refuse. */
export function shapeOf(text: Buffer): JsonShape {
  let depth = 0;
  let depthMax = 0;
  let values = 1;
  let digits = 0;
  let mayOverflow = false;
  for (let i = 0; i < text.length; i += 1) {
    const byte = text[i] ?? 0;
    if (byte >= ZERO && byte <= NINE) {
      digits += 1;
      if (digits >= DIGITS_MAX) mayOverflow = true;
      continue;
    }
    // `true` and `false` have the letter, but no digit before it.
    if (digits > 0 && (byte === SMALL_E || byte === LARGE_E)) mayOverflow = true;
    digits = 0;
    if (byte === QUOTE) i = endOfString(text, i);
    else if (byte === COMMA) values += 1;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      values += 1;
      depth += 1;
      depthMax = Math.max(depthMax, depth);
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
  }
  return { depth: depthMax, values, mayOverflow };
}

/** Of its closing quote, or of the whole text. */
function endOfString(text: Buffer, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const LARGE_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const SMALL_E = 0x65;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
