// What a store keeps of the domain's values, on its way there and back.

/**
 * Text, which is UTF-8 wherever it becomes bytes, or bytes that somebody has made of it. Text for as long as it can be: whoever
 * writes it to a socket makes bytes of it there, once, and much at a time.
 */
export type Encoded = string | Uint8Array;

const encoder = new TextEncoder();
const ASCII = /^[\0-\x7f]*$/;

/** As it is stored and sent. */
export function bytesIn(encoded: Encoded): number {
  // Most is ASCII, of which nothing has to be encoded.
  return typeof encoded !== 'string' || ASCII.test(encoded) ? encoded.length : encoder.encode(encoded).length;
}
