// A streamed answer that comes as one JSON array: every element is an event, as soon as it is complete.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAsWritten } from '../../src/chat/json-as-written.ts';
import { byteByByte, cuts, decode, decodeStepwise, decodeText, sliced } from './decode-body.ts';

const values = fc.array(fc.oneof(fc.jsonValue(), fc.constant({ text: '],[}{"\\ \u2028' })), { maxLength: 6 });
/** As Google writes it, and as anybody may. */
const FORMS: readonly ((items: readonly unknown[]) => string)[] = [
  (items) => JSON.stringify(items),
  (items) => JSON.stringify(items, null, 2),
  (items) => `[${items.map((item) => JSON.stringify(item, null, 1)).join('\r\n,\r\n')}\r\n]\r\n`,
];

describe('an array instead of events', () => {
  it('gives its elements, in any form and any slicing', () => {
    fc.assert(
      fc.property(values, cuts, fc.nat({ max: FORMS.length - 1 }), (items, positions, form) => {
        const bytes = Buffer.from(FORMS[form]?.(items) ?? '');
        const expected = { values: parseAsWritten(JSON.stringify(items)) };
        expect(decode(sliced(bytes, positions))).toEqual(expected);
        expect(decode(byteByByte(bytes))).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('gives each element when it is complete, and does not wait for the next', () => {
    const { push, end } = decodeStepwise();
    expect(push('[{"a":')).toEqual([]);
    expect(push('1}')).toEqual([{ a: 1 }]);
    expect(push('\n,\n{"a":{"b":[2]}')).toEqual([]);
    expect(push('}')).toEqual([{ a: { b: [2] } }]);
    expect(push(']\n')).toEqual([]);
    expect(end()).toEqual([]);
  });

  it('is limited by the size of an element, not of the whole', () => {
    const items = Array.from({ length: 100 }, () => ({ text: 'x'.repeat(50) }));
    expect(decodeText(JSON.stringify(items), 100)).toEqual({ values: items });
    expect(decodeText(JSON.stringify([{ text: 'x'.repeat(100) }]), 100)).toEqual({
      values: [],
      error: 'answer_too_large',
    });
  });

  it('may come behind events, and events behind it', () => {
    const error = [{ error: { code: 503 } }];
    const text = `data: {"a":1}\n\n${JSON.stringify(error)}\ndata: {"b":2}\n\n`;
    expect(decodeText(text)).toEqual({ values: [{ a: 1 }, ...error, { b: 2 }] });
  });

  it.each(['[', '[{"a":1}', '[{"a":1},', '[{"a":"'])('without an end is cut off: %s', (text) => {
    expect(decodeText(text).error).toBe('model_protocol_error');
  });

  it.each(['[}', '[{]', '[{"a":}]', '[tru]', '[{"a" 1}]'])('that is no JSON is refused: %s', (text) => {
    expect(decodeText(text).error).toBe('model_protocol_error');
  });
});
