// The decoder of streamed answers, fed with whole bodies and with slices of them.

import fc from 'fast-check';
import { JsonStreamDecoder } from '../../src/adapters/upstream/json-stream-decoder.ts';
import { ChatError } from '../../src/chat/errors.ts';

export const SIZE_MAX = 16 * 1024 ** 2;

export interface Decoded {
  readonly values: readonly unknown[];
  /** The code of the error after them. */
  readonly error?: string;
}

export function decode(slices: readonly Uint8Array[], eventSizeMax = SIZE_MAX): Decoded {
  const values: unknown[] = [];
  const decoder = new JsonStreamDecoder({ eventSizeMax }, (value) => values.push(value));
  try {
    for (const slice of slices) decoder.push(slice);
    decoder.end();
    return { values };
  } catch (error) {
    return { values, error: error instanceof ChatError ? error.code : String(error) };
  }
}

/** Each call gives the values that came of it: `push` of a text, `end` of the end. */
export function decodeStepwise(eventSizeMax = SIZE_MAX) {
  const values: unknown[] = [];
  const decoder = new JsonStreamDecoder({ eventSizeMax }, (value) => values.push(value));
  return {
    push(text: string): readonly unknown[] {
      decoder.push(Buffer.from(text));
      return values.splice(0);
    },
    end(): readonly unknown[] {
      decoder.end();
      return values.splice(0);
    },
  };
}

export function decodeText(text: string, eventSizeMax = SIZE_MAX): Decoded {
  return decode([Buffer.from(text)], eventSizeMax);
}

/** Cuts at all the positions, modulo the length; the same one twice makes a slice of nothing. */
export function sliced(bytes: Uint8Array, positions: readonly number[]): readonly Uint8Array[] {
  const cuts = positions.map((position) => position % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((start, index) => bytes.subarray(start, cuts[index] ?? bytes.length));
}

export function byteByByte(bytes: Uint8Array): readonly Uint8Array[] {
  return [...bytes].map((byte) => Uint8Array.of(byte));
}

/** Where a body is cut. */
export const cuts = fc.array(fc.nat({ max: 5000 }), { maxLength: 40 });
