// Names of JSON texts, after texts with other names (nodejs/node#63785). What a text says is known here without JSON.parse.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAsWritten } from '../../src/chat/json-as-written.ts';
import { mislead } from '../support/misleading-names.ts';

/** Names and values in their order; JSON cannot tell it, and `toEqual` does not look at it. */
const entriesIn = (text: string) => Object.entries(parseAsWritten(text) as object);

describe('an escaped name', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['a letter', ['"name":1', '"\\u00e9t\\u00e9":2'], ['name', 'été']],
    ['a quote', ['"h":1', '"\\"":2'], ['h', '"']],
    ['a quote within', ['"a\\"b":1'], ['a"b']],
    ['a line end', ['"\\r":1', '"\\n":2'], ['\r', '\n']],
    ['a zero', ['"x":1', '"y":2', '"\\u0000":3'], ['x', 'y', '\0']],
    ['a name behind a longer one', ['"x":1', '"a long name\\t":2', '"z":3'], ['x', 'a long name\t', 'z']],
  ])('is read as written, whatever was read before: %s', (_what, members, names) => {
    mislead(members);
    expect(Object.keys(parseAsWritten(`{${members.join(',')}}`) as object)).toEqual(names);
    expect(parseAsWritten(`[[{"in":{${members.join(' ,\n')}}}]]`)).toEqual([
      [{ in: Object.fromEntries(names.map((name, i) => [name, i + 1])) }],
    ]);
  });

  it('is the same name as its other spellings: the last one counts, in the place of the first', () => {
    expect(entriesIn('{"a":1,"b":2,"\\u0061":3}')).toEqual(Object.entries({ a: 3, b: 2 }));
    expect(entriesIn('{"\\u0061":1,"b":2,"a":3}')).toEqual(Object.entries({ a: 3, b: 2 }));
    expect(entriesIn('{"\\n":1,"b":2,"\\u000a":3,"\\u000A":4}')).toEqual([
      ['\n', 4],
      ['b', 2],
    ]);
  });

  it('may be a number, and comes first then as others do', () => {
    expect(entriesIn('{"\\n":1,"\\u0032":2,"1":3}')).toEqual([
      ['1', 3],
      ['2', 2],
      ['\n', 1],
    ]);
  });

  it.each(['{"__proto__":{"polluted":1},"\\n":2}', '{"\\u005f_proto__":{"polluted":1},"\\n":2}'])(
    'is a name like any other in %s',
    (text) => {
      const value = parseAsWritten(text) as object;
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(JSON.stringify(value)).toBe('{"__proto__":{"polluted":1},"\\n":2}');
      expect('polluted' in value).toBe(false);
    },
  );

  it('is not taken for a plain one', () => {
    expect(entriesIn('{"#0":1,"\\n":2,"#1":3,"\\u0023":4,"\\t":5,"#":6}')).toEqual([
      ['#0', 1],
      ['\n', 2],
      ['#1', 3],
      ['#', 6],
      ['\t', 5],
    ]);
  });

  it('is not looked for in values', () => {
    expect(parseAsWritten('["#0",{"\\n":"#0"},",\\"{\\"a\\\\\\":1}"]')).toEqual(['#0', { '\n': '#0' }, ',"{"a\\":1}']);
  });

  it.each([
    '{"\\x":1}',
    '{"\\u00g0":1}',
    '{"\\',
    '{"\\"',
    '{"a\\n',
    '{"\\n"}',
    '{"\\n" 1}',
    '{"#\n":1,"\\n":2}',
    '{"\\\n":1}',
  ])('is an error in %j', (text) => {
    expect(() => parseAsWritten(text)).toThrow(SyntaxError);
  });

  it('costs what its text costs', () => {
    const MEBI = 1024 * 1024;
    const texts = [
      `{"a":"${'\\n'.repeat(10 * MEBI)}"}`,
      `{"${'\\"'.repeat(10 * MEBI)}":1}`,
      `{"a":"${'\\"{,'.repeat(5 * MEBI)}"}`,
      `{"${'\\"'.repeat(10 * MEBI)}`,
      `[${Array.from({ length: 100_000 }, (_, i) => `{"\\n${i}":1,"\\u0061":"\\n"}`).join(',')}]`,
    ];
    const startedAt = performance.now();
    for (const text of texts) {
      try {
        parseAsWritten(text);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    }
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });
});

/** A text and what it says. */
interface Told {
  readonly text: string;
  readonly value: unknown;
}

const SHORT: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '/': '\\/' };
const hexOf = (unit: string) => unit.charCodeAt(0).toString(16).padStart(4, '0');

/** One character in one of its spellings; few of them, so that names meet. */
const letter = fc
  .tuple(
    fc.constantFrom('\\', '"', '\n', '/', 'u', 'n', '0', '#', 'é', '\ud800'),
    fc.constantFrom('plain', 'short', 'long'),
  )
  .map(([unit, spelling]): [text: string, unit: string] => {
    const mayBePlain = !['\\', '"', '\n'].includes(unit);
    if (spelling === 'plain' && mayBePlain) return [unit, unit];
    return [spelling === 'long' ? `\\u${hexOf(unit)}` : (SHORT[unit] ?? `\\u${hexOf(unit).toUpperCase()}`), unit];
  });

const string = fc.oneof(
  fc.array(letter, { maxLength: 4 }).map((letters): { text: string; value: string } => ({
    text: `"${letters.map(([text]) => text).join('')}"`,
    value: letters.map(([, unit]) => unit).join(''),
  })),
  fc.constantFrom(
    { text: '"__proto__"', value: '__proto__' },
    { text: '"\\u005f_proto__"', value: '__proto__' },
    { text: '"\\u0031"', value: '1' },
    { text: '"#0"', value: '#0' },
  ),
);
const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r');

function objectOf(members: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of members) {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true });
  }
  return object;
}

const { told } = fc.letrec<{ told: Told; list: Told; object: Told; plain: Told }>((tie) => ({
  told: fc.oneof({ maxDepth: 4 }, tie('plain'), tie('object'), tie('list')),
  plain: fc.oneof<fc.Arbitrary<Told>[]>(
    string,
    fc.constantFrom({ text: '1', value: 1 }, { text: 'null', value: null }, { text: '-0.5e1', value: -5 }),
  ),
  list: fc.tuple(fc.array(tie('told'), { maxLength: 3 }), space).map(([items, gap]) => ({
    text: `[${gap}${items.map(({ text }) => text).join(`${gap},`)}]`,
    value: items.map(({ value }) => value),
  })),
  object: fc.tuple(fc.array(fc.tuple(string, tie('told')), { maxLength: 4 }), space).map(([members, gap]) => ({
    text: `${gap}{${gap}${members.map(([name, { text }]) => `${name.text}${gap}:${gap}${text}`).join(`,${gap}`)}}`,
    value: objectOf(members.map(([name, { value }]) => [name.value, value])),
  })),
}));

/** With the order of names, and with what only looks like a prototype. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return { names: Object.entries(value).map(([name, member]) => [name, shown(member)]) };
}

/** Without a name that could be mistaken: what is a string becomes a plain one, and a quote that begins none an error. */
function isJson(text: string): boolean {
  const plain = text.replace(/"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|"/gu, (literal) =>
    literal === '"' ? '\\' : '"s"',
  );
  try {
    JSON.parse(plain);
    return true;
  } catch {
    return false;
  }
}

function isTaken(text: string): boolean {
  try {
    parseAsWritten(text);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return false;
  }
}

describe('any text', () => {
  it('says what it says', () => {
    fc.assert(
      fc.property(told, ({ text, value }) => {
        const members = [...text.matchAll(/("(?:[^"\\]|\\.)*")\s*:/g)].map(([, literal]) => `${literal}:0`);
        for (const member of members) mislead([member]);
        mislead(members);
        expect(shown(parseAsWritten(text))).toEqual(shown(value));
      }),
      { numRuns: 4000 },
    );
  });

  it('is JSON, or is none, as ever', () => {
    const piece = fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '#',
      '1',
      'u',
      '\n',
      '\0',
      '\u00a0',
      '""',
      '"\\',
    );
    const edit = fc.record({ at: fc.nat(), cut: fc.nat({ max: 2 }), piece: fc.oneof(piece, fc.constant('')) });
    let taken = 0;
    fc.assert(
      fc.property(told, fc.array(edit, { maxLength: 3 }), ({ text: whole }, edits) => {
        const text = edits.reduce((now, { at, cut, piece }) => {
          const place = at % (now.length + 1);
          return `${now.slice(0, place)}${piece}${now.slice(place + cut)}`;
        }, whole);
        taken += isJson(text) ? 1 : 0;
        expect(isTaken(text)).toBe(isJson(text));
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(2000);
    expect(taken).toBeLessThan(18_000);
  });
});
