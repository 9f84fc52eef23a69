// The decoder of streamed answers, against bodies that are wrong, too large, or cut into very many pieces.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteByByte, cuts, decode, decodeStepwise, decodeText, SIZE_MAX, sliced } from './decode-body.ts';

describe('a body that cannot be read', () => {
  const garbage: Readonly<Record<string, string>> = {
    'text instead of JSON in an event': 'data: hello\n\n',
    'an end mark of another API': 'data: [DONE]\n\n',
    'an event that stops in the middle': 'data: {"candidates": [{"con',
    'two values in one event': 'data: {"a":1}{"b":2}\n\n',
    'a value broken over two lines': 'data: 1\ndata: 2\n\n',
    'two values that are no events': '{"a":1}\n{"b":2}\n',
    'a page of HTML': '<!DOCTYPE html>\n<html><body>\n\n502 Bad Gateway\n</body></html>\n',
    'an array that stops in the middle': '[{"a":1}\n,\r\n{"b":',
    'a line of nonsense': 'data: 1\n\nupstream connect error\n',
    'a comma before the rest': '{"a":1}\n,\n',
  };

  it.each(Object.keys(garbage))('is an error, never silence: %s', (name) => {
    const bytes = Buffer.from(garbage[name] ?? '');
    expect(decode([bytes]).error).toBe('model_protocol_error');
    expect(decode(byteByByte(bytes)).error).toBe('model_protocol_error');
  });

  it.each([
    ['a byte that no character has', [0x64, 0x61, 0x74, 0x61, 0x3a, 0x22, 0xff, 0x22, 0x0a, 0x0a]],
    ['a character that is not complete at the end', [0x64, 0x61, 0x74, 0x61, 0x3a, 0x22, 0xf0, 0x9f, 0x98]],
    ['half a surrogate pair, encoded', [0x64, 0x61, 0x74, 0x61, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x0a, 0x0a]],
    ['gzip', [0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0x56]],
  ])('is an error when it is not UTF-8: %s', (_name, bytes) => {
    expect(decode([Uint8Array.from(bytes)]).error).toBe('model_protocol_error');
    expect(decode(byteByByte(Uint8Array.from(bytes))).error).toBe('model_protocol_error');
  });

  it('loses none of the values before, although they came in the same bytes', () => {
    expect(decodeText('data: 1\n\ndata: 2\n\ndata: {"x\n\ndata: 3\n\n')).toEqual({
      values: [1, 2],
      error: 'model_protocol_error',
    });
  });

  it('never ends in any other error, and never in silence, whatever the bytes are', () => {
    const body = fc.property(fc.uint8Array({ maxLength: 60 }), cuts, (bytes, positions) => {
      const { error } = decode(sliced(bytes, positions));
      expect([undefined, 'model_protocol_error']).toContain(error);
      expect(decode([bytes]).error).toBe(error);
    });
    fc.assert(body, { numRuns: 500 });
  });
});

describe('the limit of an event', () => {
  const event = (length: number) => `data: "${'x'.repeat(length - 'data: ""'.length)}"`;

  it('lets an event of 16 MiB pass, and no character more', () => {
    const largest = decodeText(`${event(SIZE_MAX)}\n\n`);
    expect({ error: largest.error, count: largest.values.length }).toEqual({ error: undefined, count: 1 });
    expect(decodeText(`${event(SIZE_MAX + 1)}\n\n`)).toEqual({ values: [], error: 'answer_too_large' });
  });

  it('counts each event anew, but all lines of one', () => {
    expect(decodeText(`${event(100)}\n\n`.repeat(50), 100).values).toHaveLength(50);
    expect(decodeText('data: [\ndata: 1\ndata: ]\n\n'.repeat(9), 22).values).toHaveLength(9);
    expect(decodeText(`data: [\n${'data: 1,\n'.repeat(20)}data: 1]\n\n`, 100).error).toBe('answer_too_large');
  });

  it('holds for JSON that is no event, and for lines that say nothing', () => {
    expect(decodeText('  1,\n'.repeat(30), 100).error).toBe('answer_too_large');
    expect(decodeText(`: ${'x'.repeat(200)}`, 100).error).toBe('answer_too_large');
  });

  it('is told while the line is still growing, so that it bounds what is kept', () => {
    const { push } = decodeStepwise(100);
    const piece = 'x'.repeat(60);
    expect(push(piece)).toEqual([]);
    expect(() => push(piece)).toThrow('larger than 100 characters');
  });
});

describe('the time it takes', () => {
  // Copying what is there for every piece would be 10^12 steps for each of these.
  const BOUND_MS = 8000;

  it('is linear for one long line in very many pieces', () => {
    const piece = Buffer.from('x'.repeat(16));
    const pieces = Array.from({ length: 400_000 }, () => piece);
    const started = performance.now();
    const { values, error } = decode([Buffer.from('data: "'), ...pieces, Buffer.from('"\n\n')]);
    expect(performance.now() - started).toBeLessThan(BOUND_MS);
    expect({ error, length: String(values[0]).length }).toEqual({ error: undefined, length: 6_400_000 });
  });

  it('is linear for one event, and for one bare value, of very many lines', () => {
    for (const prefix of ['data: ', '']) {
      const text = `${prefix}[\n${`${prefix}1234567,\n`.repeat(400_000)}${prefix}1]\n\n`;
      const started = performance.now();
      const { values, error } = decodeText(text);
      expect(performance.now() - started).toBeLessThan(BOUND_MS);
      expect({ error, count: values.flat().length }).toEqual({ error: undefined, count: 400_001 });
    }
  });
});
