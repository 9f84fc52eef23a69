// JSON whose names are read as they are written, whoever has sent what before. V8 takes an escaped name for another one
// now and then: it compares the raw text with names that it has seen in other texts (nodejs/node#63785). So no escaped
// name reaches it.

/** As `JSON.parse`, which it fails like. What is nested deeper than the stack goes has to be refused before. */
export function parseAsWritten(text: string): unknown {
  if (!hasEscapedName(text)) return JSON.parse(text);
  const names = new StandIns();
  const value: unknown = JSON.parse(withoutEscapedNames(text, names));
  return names.areUsed ? renamed(value, names) : value;
}

/**
 * Escapes are common in texts, and rare in names: a string with one is looked at to its end, and is a name if a colon follows. In
 * what is JSON there are none outside of strings; what is none is refused by the parser.
 */
function hasEscapedName(text: string): boolean {
  let slash = text.indexOf('\\');
  while (slash !== -1) {
    let end = slash;
    let quote = text.indexOf('"', end);
    while (slash !== -1 && slash < quote) {
      end = slash + 2;
      if (quote < end) quote = text.indexOf('"', end);
      slash = text.indexOf('\\', end);
    }
    if (quote === -1) return false;
    if (isBeforeColon(text, quote + 1)) return true;
  }
  return false;
}

function isBeforeColon(text: string, start: number): boolean {
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COLON) return true;
    if (code !== SPACE && code !== TAB && code !== LF && code !== CR) return false;
  }
  return false;
}

/**
 * Most names need no escape: they are written plainly. Another one cannot be written in any other way than with escapes,
 * so all its spellings get the same stand-in, and duplicates stay duplicates.
 */
class StandIns {
  readonly #literals = new Map<string, string>();
  readonly #names: string[] = [];

  get areUsed(): boolean {
    return this.#names.length > 0;
  }

  /** In the text, with its quotes. */
  literalFor(name: string): string {
    if (!NEEDS_STAND_IN.test(name)) return `"${name}"`;
    let literal = this.#literals.get(name);
    if (literal === undefined) {
      literal = `"${MARK}${this.#names.length}"`;
      this.#literals.set(name, literal);
      this.#names.push(name);
    }
    return literal;
  }

  nameOf(key: string): string {
    return key.startsWith(MARK) ? (this.#names[Number(key.slice(MARK.length))] ?? key) : key;
  }
}

/** Begins every stand-in. A name that begins with it gets one, too: it would be taken for somebody else's. */
const MARK = '#';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they cannot stand in a JSON text as they are.
const NEEDS_STAND_IN = /^#|["\\\u0000-\u001f]/;

/**
 * In one pass. What is no JSON stays none: up to the first error a name is a string after `{`, or after a comma in an
 * object, and V8 looks no further.
 */
function withoutEscapedNames(text: string, names: StandIns): string {
  const pieces: string[] = [];
  let taken = 0;
  const open: number[] = [];
  let isNameNext = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const { end, hasEscape } = stringAt(text, i);
      if (isNameNext && (hasEscape || text.startsWith(MARK, i + 1))) {
        const name: string = JSON.parse(text.slice(i, end));
        pieces.push(text.slice(taken, i), names.literalFor(name));
        taken = end;
      }
      isNameNext = false;
      i = end - 1;
    } else if (code === COMMA) isNameNext = open.at(-1) === OPEN_OBJECT;
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      open.push(code);
      isNameNext = code === OPEN_OBJECT;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop();
  }
  if (taken === 0) return text;
  pieces.push(text.slice(taken));
  return pieces.join('');
}

/** `end` is behind its closing quote; without one, it is the end of the text. */
function stringAt(text: string, start: number): { readonly end: number; readonly hasEscape: boolean } {
  let hasEscape = false;
  for (let i = start + 1; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return { end: i + 1, hasEscape };
    if (code === BACKSLASH) {
      hasEscape = true;
      i += 1;
    }
  }
  return { end: text.length, hasEscape };
}

/** Made from entries: `__proto__` is a name like any other. */
function renamed(value: unknown, names: StandIns): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [names.nameOf(key), renamed(member, names)]));
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
