// Text out of bytes that are cut anywhere: the same as in one piece, and the same refusals.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Utf8Stream } from '../../src/adapters/upstream/utf8-stream.ts';
import { byteByByte, cuts, sliced } from './decode-body.ts';

function decoded(slices: readonly Uint8Array[]): string | undefined {
  const stream = new Utf8Stream();
  try {
    const text = slices.map((slice) => stream.push(slice)).join('');
    stream.end();
    return text;
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return undefined;
  }
}

/** As the platform decodes a stream. */
function expected(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

describe('a stream of UTF-8', () => {
  it('is the same text in any slicing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), cuts, (text, positions) => {
        const bytes = Buffer.from(text);
        for (const slices of [[bytes], sliced(bytes, positions), byteByByte(bytes)]) {
          expect(decoded(slices)).toBe(expected(bytes));
        }
      }),
    );
  });

  it('refuses what is none, in any slicing', () => {
    const byte = fc.constantFrom(
      0x00,
      0x41,
      0x7f,
      0x80,
      0xbf,
      0xc0,
      0xc3,
      0xe2,
      0x82,
      0xed,
      0xa0,
      0xf0,
      0x9f,
      0xf5,
      0xff,
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 12 }),
        fc.array(byte, { maxLength: 12 }),
        cuts,
        (any, picked, positions) => {
          for (const bytes of [any, Uint8Array.from(picked)]) {
            for (const slices of [sliced(bytes, positions), byteByByte(bytes)])
              expect(decoded(slices)).toBe(expected(bytes));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('loses its mark at the beginning and nowhere else', () => {
    const bytes = Buffer.from('\ufeffa\ufeffb\ufeff');
    expect(decoded(byteByByte(bytes))).toBe('a\ufeffb\ufeff');
    expect(decoded([bytes.subarray(0, 4), bytes.subarray(4)])).toBe('a\ufeffb\ufeff');
  });

  it('keeps nothing of the memory that it was given', () => {
    const stream = new Utf8Stream();
    const bytes = Buffer.from('€');
    stream.push(bytes.subarray(0, 2));
    bytes.fill(0);
    expect(stream.push(Uint8Array.of(0xac))).toBe('€');
  });
});
