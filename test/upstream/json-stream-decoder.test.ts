// The decoder of streamed answers, against bodies made of known values: generated ones (fast-check) in any framing and any
// slicing, beside an independent parser of event streams. What is wrong with a body is in json-stream-decoder-faults.test.ts.

import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAsWritten } from '../../src/chat/json-as-written.ts';
import { byteByByte, cuts, type Decoded, decode, decodeStepwise, decodeText, sliced } from './decode-body.ts';

const EOLS = ['\n', '\r', '\r\n'] as const;
type Eol = (typeof EOLS)[number];

interface Framing {
  /** Pretty-printed JSON has several lines, and so has its event. */
  readonly isPretty: boolean;
  readonly space: '' | ' ';
  readonly eols: readonly Eol[];
  /** Lines that say nothing, before the event and in it. */
  readonly noise: readonly string[];
}

const framing: fc.Arbitrary<Framing> = fc.record({
  isPretty: fc.boolean(),
  space: fc.constantFrom('', ' '),
  eols: fc.array(fc.constantFrom(...EOLS), { minLength: 1, maxLength: 5 }),
  noise: fc.array(fc.constantFrom(': ping', ':', 'event: message', 'id: 7', 'retry: 3000', ''), { maxLength: 3 }),
});

/** The lines of one event, each with an end of its own kind. A CR and an LF after it would be one end, so never that pair. */
function encodeEvent(value: unknown, { isPretty, space, eols, noise }: Framing): string {
  const json = JSON.stringify(value, null, isPretty ? 1 : undefined).split('\n');
  const inside = noise.filter((line) => line !== '');
  const lines = [...noise, ...json.flatMap((line) => [`data:${space}${line}`, ...inside]), ''];
  let text = '';
  lines.forEach((line, index) => {
    const eol = eols[index % eols.length] ?? '\n';
    const wouldJoin = line === '' && eol === '\n' && text.endsWith('\r');
    text += line + (wouldJoin ? '\r' : eol);
  });
  return text;
}

/** A first line that is empty would join an LF to a CR before it. */
function joinEvents(events: readonly string[]): string {
  return events.reduce(
    (text, event) => (text.endsWith('\r') && event.startsWith('\n') ? `${text}:${event}` : text + event),
    '',
  );
}

const jsonValue = fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 3 });
const framed = fc.array(fc.tuple(jsonValue, framing), { maxLength: 6 });

/** As far as JSON can tell: it has no -0. */
function sameJson(decoded: Decoded, values: readonly unknown[]): void {
  expect(decoded.error).toBeUndefined();
  expect(JSON.stringify(decoded.values)).toBe(JSON.stringify(values));
}

function readWithReference(text: string): readonly unknown[] {
  const values: unknown[] = [];
  const parser = createParser({ onEvent: ({ data }) => values.push(parseAsWritten(data)) });
  parser.feed(text);
  // It waits for the rest of a CRLF, whatever has ended.
  if (text.endsWith('\r')) parser.feed('\n');
  return values;
}

describe('the decoder of event streams', () => {
  it('gives back exactly the values, in any framing and any slicing', () => {
    const body = fc.property(framed, cuts, (events, positions) => {
      const bytes = Buffer.from(joinEvents(events.map(([value, how]) => encodeEvent(value, how))));
      const values = events.map(([value]) => value);
      sameJson(decode(sliced(bytes, positions)), values);
      sameJson(decode(byteByByte(bytes)), values);
    });
    fc.assert(body, { numRuns: 300 });
  });

  it('reads what another parser of event streams reads', () => {
    const body = fc.property(framed, cuts, (events, positions) => {
      const text = joinEvents(events.map(([value, how]) => encodeEvent(value, how)));
      sameJson(decode(sliced(Buffer.from(text), positions)), readWithReference(text));
    });
    fc.assert(body, { numRuns: 300 });
  });

  it('gives the last value, too, when the body ends without a blank line or without any line end', () => {
    const body = fc.property(framed, cuts, (events, positions) => {
      const text = joinEvents(events.map(([value, how]) => encodeEvent(value, how)));
      const values = events.map(([value]) => value);
      const withoutBlank = text.replace(/(\r\n|\r|\n)(?:\r\n|\r|\n)$/, '$1');
      sameJson(decode(sliced(Buffer.from(withoutBlank), positions)), values);
      sameJson(decode(sliced(Buffer.from(text.replace(/[\r\n]+$/, '')), positions)), values);
    });
    fc.assert(body, { numRuns: 200 });
  });

  it('reads the same at every cut of one body, also inside characters and between CR and LF', () => {
    const values = [{ text: 'Ünïcode' }, { text: '語、語' }, { text: '👩‍👩‍👧‍👦 🇪🇺' }, ['ß', null, 1.5e300]];
    const bytes = Buffer.from(values.map((value) => `data: ${JSON.stringify(value)}\r\n\r\n`).join(''));
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(decode([bytes.subarray(0, at), bytes.subarray(at)])).toEqual({ values });
    }
  });

  it('knows a line end by its CR and its LF, with nothing between them', () => {
    const slices = ['data: [\r', '', '\ndata: 1]\r', '', '', '\n\r\n'].map((text) => Buffer.from(text));
    expect(decode(slices)).toEqual({ values: [[1]] });
  });

  it('takes a byte order mark at the start, whole and cut', () => {
    const bytes = Buffer.from('\uFEFFdata: {"a":1}\n\n');
    expect(decode([bytes])).toEqual({ values: [{ a: 1 }] });
    expect(decode(byteByByte(bytes))).toEqual({ values: [{ a: 1 }] });
  });

  it('finds nothing in an empty body, in blank lines and in comments', () => {
    for (const text of ['', '\r\n\r\n', ': ping\n\n: ping\n\n', 'event: x\nid: 1\n\n']) {
      expect(decodeText(text)).toEqual({ values: [] });
    }
  });

  it('gives each value as soon as its event is complete', () => {
    const { push, end } = decodeStepwise();
    expect(push('data: 1\n')).toEqual([]);
    expect(push('\nda')).toEqual([1]);
    expect(push('ta: 2\r\n\r')).toEqual([2]);
    expect(push('\ndata: 3')).toEqual([]);
    expect(end()).toEqual([3]);
  });
});

const ERROR = { error: { code: 503, message: 'The model is overloaded.\nTry again.', status: 'UNAVAILABLE' } };

describe('JSON that is no event', () => {
  it('is read after events, pretty-printed, in any slicing', () => {
    const body = fc.property(
      framed,
      cuts,
      fc.constantFrom(...EOLS),
      fc.boolean(),
      (events, positions, eol, isWrapped) => {
        const before = joinEvents(events.map(([value, how]) => encodeEvent(value, how)));
        const pretty = JSON.stringify(isWrapped ? [ERROR] : ERROR, null, 2).replaceAll('\n', eol);
        const bytes = Buffer.from(before + pretty);
        sameJson(decode(sliced(bytes, positions)), [...events.map(([value]) => value), ERROR]);
      },
    );
    fc.assert(body, { numRuns: 200 });
  });

  it('is read between events', () => {
    const pretty = JSON.stringify(ERROR, null, 2);
    expect(decodeText(`data: 1\n\n${pretty}\n\ndata: 2\n\n`)).toEqual({ values: [1, ERROR, 2] });
    expect(decodeText(`data: 1\n\n${pretty}\ndata: 2\n\n`)).toEqual({ values: [1, ERROR, 2] });
  });

  it('may hold blank lines', () => {
    expect(decodeText('{\n\n  "a":\r\n\r\n 1\n\n}\n\n')).toEqual({ values: [{ a: 1 }] });
  });

  it('may be an array, as without alt=sse: its elements are the values', () => {
    const body = fc.property(fc.array(jsonValue, { minLength: 1, maxLength: 6 }), cuts, (values, positions) => {
      const text = `[${values.map((value) => JSON.stringify(value, null, 2)).join('\r\n,\r\n')}\r\n]`;
      sameJson(decode(sliced(Buffer.from(text), positions)), values);
    });
    fc.assert(body, { numRuns: 200 });
  });

  it('may be an array of very many elements', () => {
    const { values, error } = decodeText(`[${'0,'.repeat(500_000)}0]`);
    expect({ error, count: values.length }).toEqual({ error: undefined, count: 500_001 });
  });
});
