// What an answer is grounded on: the wire counts bytes of a part, clients count characters of the visible text.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startReading } from '../../src/adapters/gemini/gemini-response.ts';
import { addChunk, NO_ANSWER } from '../../src/chat/answer.ts';
import { read, readAll } from './read-response.ts';

const WEB = { web: { uri: 'https://a', title: 'A', domain: 'a' } };
const STORE = { retrievedContext: { uri: 'gs://b', title: 'B', text: '…' } };

function bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/** A support as the wire has it: bytes, and no start where it is 0. */
function support(text: string, quote: string, indices: readonly number[] = [0]) {
  const start = bytes(text.slice(0, text.indexOf(quote)));
  const startIndex = start === 0 ? {} : { startIndex: start };
  return { segment: { ...startIndex, endIndex: start + bytes(quote), text: quote }, groundingChunkIndices: indices };
}

function chunk(text: string, groundingMetadata?: object) {
  const candidate = {
    content: { role: 'model', parts: [{ text }] },
    ...(groundingMetadata ? { groundingMetadata } : {}),
  };
  return { candidates: [candidate] };
}

function citationsOf(values: readonly unknown[]) {
  return readAll(values).candidates[0]?.groundingMetadata?.citations ?? [];
}

function quotes(text: string, values: readonly unknown[]): readonly string[] {
  return citationsOf(values).map(({ startIndex, endIndex }) => text.slice(startIndex, endIndex));
}

describe('grounding', () => {
  it('joins each support with its sources, in the order of the wire', () => {
    const text = 'One. Two.';
    const groundingSupports = [support(text, 'One.', [1, 0]), support(text, 'Two.', [0])];
    const metadata = { groundingChunks: [WEB, STORE], groundingSupports };
    expect(citationsOf([chunk(text, metadata)])).toEqual([
      { startIndex: 0, endIndex: 4, url: 'gs://b', title: 'B' },
      { startIndex: 0, endIndex: 4, url: 'https://a', title: 'A' },
      { startIndex: 5, endIndex: 9, url: 'https://a', title: 'A' },
    ]);
  });

  it.each([
    ['Latin with diacritics', 'Çà et là, où? Über Ångström – naïve façade. Ende.', 'Über Ångström – naïve façade.'],
    ['Chinese and Japanese', '東京は日本の首都です。人口は約1400万人です。', '人口は約1400万人です。'],
    ['emoji', 'Weather: ☀️🌡️ 25 °C 👩‍👩‍👧‍👦 in 🇫🇷. Bye 👋🏽!', '👩‍👩‍👧‍👦 in 🇫🇷.'],
  ])('counts characters, not bytes, in %s, in one chunk and in many', (_name, text, quote) => {
    const metadata = { groundingChunks: [WEB], groundingSupports: [support(text, quote)] };
    expect(quotes(text, [chunk(text, metadata)])).toEqual([quote]);
    const points = [...text];
    const values = points.map((point, index) => chunk(point, index === points.length - 1 ? metadata : undefined));
    expect(quotes(text, values)).toEqual([quote]);
    expect(
      quotes(text, [...points.map((point) => chunk(point)), { candidates: [{ groundingMetadata: metadata }] }]),
    ).toEqual([quote]);
  });

  it('names the same characters, whatever the text, the range and the chunks are', () => {
    const words = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });
    const body = fc.property(words, fc.nat(), fc.nat(), (pieces, a, b) => {
      const text = pieces.join('');
      const points = [...text];
      const [from, to] = [a % (points.length + 1), b % (points.length + 1)].sort((x, y) => x - y) as [number, number];
      const before = points.slice(0, from).join('');
      const quote = points.slice(from, to).join('');
      const segment = { startIndex: bytes(before), endIndex: bytes(before + quote) };
      const metadata = { groundingChunks: [WEB], groundingSupports: [{ segment, groundingChunkIndices: [0] }] };
      const values = [...pieces.map((piece) => chunk(piece)), chunk('', metadata)];
      const [citation] = citationsOf(values);
      expect([citation?.startIndex, citation?.endIndex]).toEqual([before.length, before.length + quote.length]);
    });
    fc.assert(body, { numRuns: 300 });
  });

  it('counts from the part that is named, behind the visible text before it', () => {
    const parts = [
      { text: 'Größe: ' },
      { executableCode: { code: 'x' } },
      { text: 'hm', thought: true },
      { text: '5 µm.' },
    ];
    const segment = { partIndex: 3, startIndex: 2, endIndex: bytes('5 µm.') };
    const groundingMetadata = { groundingChunks: [WEB], groundingSupports: [{ segment, groundingChunkIndices: [0] }] };
    const [citation] = citationsOf([{ candidates: [{ content: { parts }, groundingMetadata }] }]);
    const visible = 'Größe: 5 µm.';
    expect(visible.slice(citation?.startIndex, citation?.endIndex)).toBe('µm.');
  });

  it('counts in the visible text when the named part is a thought, which no source supports', () => {
    const text = 'Ja, größer als fünf.';
    const groundingMetadata = { groundingChunks: [WEB], groundingSupports: [support(text, 'größer als fünf.')] };
    const thought = { candidates: [{ content: { parts: [{ text: 'Überlegen wir, ausführlich …', thought: true }] } }] };
    expect(quotes(text, [thought, chunk(text, groundingMetadata)])).toEqual(['größer als fünf.']);
  });

  it('keeps candidates apart', () => {
    const candidate = (index: number, text: string) => ({
      index,
      content: { parts: [{ text }] },
      groundingMetadata: { groundingChunks: [WEB], groundingSupports: [support(text, 'x')] },
    });
    const { candidates } = readAll([{ candidates: [candidate(0, 'ßßx'), candidate(1, '語x')] }]);
    expect(candidates.map(({ groundingMetadata }) => groundingMetadata?.citations[0]?.startIndex)).toEqual([2, 1]);
  });

  it('has the search queries of both kinds, and keeps everything else as it came', () => {
    const metadata = {
      webSearchQueries: ['q1', 'q2'],
      retrievalQueries: ['r'],
      searchEntryPoint: { renderedContent: '<div>' },
      groundingChunks: [WEB],
      news: { field: 1 },
    };
    expect(read(chunk('a', metadata)).candidates[0]?.groundingMetadata).toEqual({
      ...metadata,
      citations: [],
      searchQueries: ['q1', 'q2', 'r'],
    });
  });

  it('passes over sources that are not there and supports without a place', () => {
    const groundingSupports = [
      { groundingChunkIndices: [7, -1, 'x', null, 0.5] },
      { segment: null },
      { segment: { endIndex: 1 }, groundingChunkIndices: 'x' },
      { groundingChunkIndices: [1] },
      { groundingChunkIndices: [0] },
    ];
    const values = [chunk('abc', { groundingChunks: [WEB, { unknown: {} }], groundingSupports })];
    expect(citationsOf(values)).toEqual([{ startIndex: 0, endIndex: 0, url: 'https://a', title: 'A' }]);
  });

  it.each([
    [1, 900],
    [3, 1],
  ])('leaves a range as it is when it does not fit the text: %i to %i', (startIndex, endIndex) => {
    const groundingSupports = [{ segment: { startIndex, endIndex }, groundingChunkIndices: [0] }];
    const [citation] = citationsOf([chunk('äöü', { groundingChunks: [WEB], groundingSupports })]);
    expect(citation).toMatchObject({ startIndex, endIndex });
  });

  it.each([
    [-1, 2, 0, 1],
    [-5, -1, 0, 0],
    ['x', 1e300, 0, Number.MAX_SAFE_INTEGER],
  ])('has no place before the text or beyond counting: %s to %s', (startIndex, endIndex, start, end) => {
    const groundingSupports = [{ segment: { startIndex, endIndex }, groundingChunkIndices: [0] }];
    const [citation] = citationsOf([chunk('äöü', { groundingChunks: [WEB], groundingSupports })]);
    expect(citation).toMatchObject({ startIndex: start, endIndex: end });
  });

  it('is stripped with the citations, and with nothing else, when the caller wants no attribution', () => {
    const text = 'Quoted.';
    const metadata = { groundingChunks: [WEB], groundingSupports: [support(text, 'Quoted.')] };
    const candidate = {
      ...chunk(text, metadata).candidates[0],
      citationMetadata: { citations: [{ endIndex: 3 }] },
      finishReason: 'STOP',
    };
    expect(readAll([{ candidates: [candidate] }], true).candidates).toEqual([
      { index: 0, parts: [{ text }], finishReason: 'STOP' },
    ]);
  });
  it('keeps the suggestions of the search also without attribution, since to show them is a term of its use', () => {
    const searchEntryPoint = { renderedContent: '<div>more</div>' };
    const metadata = { groundingChunks: [WEB], webSearchQueries: ['q'], searchEntryPoint };
    expect(readAll([chunk('abc', metadata)], true).candidates[0]?.groundingMetadata).toEqual({
      citations: [],
      searchQueries: [],
      searchEntryPoint,
    });
  });
});

describe('an answer from an inline context', () => {
  const reading = () => startReading({ groundingSource: { type: 'inlineContext', inlineContext: 'Mars is red.' } });

  it('is marked as grounded by emulation, in every candidate', () => {
    const values = [0, 1].map((index) => ({ index, content: { parts: [{ text: 'Red.' }] }, finishReason: 'STOP' }));
    const { candidates } = read({ candidates: values }, reading());
    const emulated = { citations: [], searchQueries: [], emulated: true };
    expect(candidates.map(({ groundingMetadata }) => groundingMetadata)).toEqual([emulated, emulated]);
  });

  it('keeps what a tool of its own found beside it, however late a chunk comes', () => {
    const options = reading();
    const values = [chunk('Red', { webSearchQueries: ['mars'] }), chunk('.'), chunk('!')];
    const answer = values.map((value) => read(value, options)).reduce(addChunk, NO_ANSWER);
    expect(answer.candidates[0]?.groundingMetadata).toEqual({
      webSearchQueries: ['mars'],
      citations: [],
      searchQueries: ['mars'],
      emulated: true,
    });
  });

  it('is the only one that is marked', () => {
    expect(
      readAll([chunk('Red.', { webSearchQueries: ['mars'] })]).candidates[0]?.groundingMetadata,
    ).not.toHaveProperty('emulated');
  });
});
