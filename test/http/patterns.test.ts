// The patterns of the API's document take time in proportion to what they are given, whatever that is: none can be made to go
// back and forth over a long text.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const document: unknown = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));

function patternsIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    return name === 'pattern' && typeof member === 'string' ? [member] : patternsIn(member);
  });
}

const PATTERNS = [...new Set(patternsIn(document))];

/** What a pattern of words, dots and slashes could repeat, in more than one way if it is careless. */
const PUMPED = [
  'a',
  'a.',
  'a-',
  '-',
  '.',
  ':',
  '0',
  '_',
  '/',
  'a/',
  'a.a',
  'a:-',
  'models/',
  'locations/a/',
  '@',
  'aA0',
];
const STARTS = [
  '',
  'a',
  'publishers/',
  'publishers/a/models/',
  'projects/',
  'projects/a/locations/',
  'projects/a/endpoints/',
];
const LENGTH = 200_000;

test('there are some', () => {
  expect(PATTERNS.length).toBeGreaterThan(4);
});

test.each(PATTERNS)('%s', { timeout: 10_000 }, (pattern) => {
  const expression = new RegExp(pattern, 'u');
  for (const start of STARTS) {
    for (const piece of PUMPED) {
      const text = `${start}${piece.repeat(LENGTH / piece.length)}`;
      // A text that fails at its very end makes whoever goes back do it for everything before.
      expect(expression.test(`${text}\n`)).toBe(false);
      expression.test(text);
    }
  }
});
