// Every fault as it arrives at a client: streamed, unary, by marker and by model. What needs more than one request is in faults.test.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAULTS } from '../../src/emulator/faults.ts';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { type Answer, candidatesIn, chunksIn, documentIn, errorIn, partsIn, saidIn, stream, unary } from './ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

type Check = (answer: Answer) => void;
type Case = { readonly stream: Check; readonly unary: Check };

const both = (check: Check): Case => ({ stream: check, unary: check });
const finishReasons = (answer: Answer) =>
  candidatesIn(chunksIn(answer)).flatMap((candidate) => candidate.finishReason ?? []);
const unaryCandidate = (answer: Answer) => documentIn(answer).candidates?.[0];

function isError(code: number, status: string): Check {
  return (answer) =>
    expect([answer.status, errorIn(answer).code, errorIn(answer).status]).toEqual([code, code, status]);
}

function endsWith(reason: string, content: unknown): Check {
  return (answer) => {
    const last = candidatesIn(chunksIn(answer)).at(-1);
    expect([last?.finishReason, last?.content]).toEqual([reason, content]);
    expect(saidIn(chunksIn(answer))).not.toBe('');
  };
}

function beginsThen(rest: RegExp, isBroken = false): Check {
  return (answer) => {
    const events = answer.text.split('\r\n\r\n');
    expect(
      events.slice(0, 2).every((event) => JSON.parse(event.slice(6)).candidates[0].content.parts.length === 1),
    ).toBe(true);
    expect(events.slice(2).join('\r\n\r\n')).toMatch(rest);
    expect(answer.text).not.toContain('finishReason');
    expect([answer.status, answer.isBroken]).toEqual([200, isBroken]);
  };
}

function calls(...names: string[]): Check {
  return (answer) => {
    const parts = partsIn(answer.text.startsWith('data:') ? chunksIn(answer) : [documentIn(answer)]);
    expect(parts.map((part) => part.functionCall?.name)).toEqual(names);
    expect(parts.map((part) => part.thoughtSignature !== undefined)).toEqual(names.map((_, index) => index === 0));
  };
}

const isWhole: Check = (answer) => expect(finishReasons(answer)).toEqual(['STOP']);
const isDocument: Check = (answer) => expect(unaryCandidate(answer)?.finishReason).toBe('STOP');
const bytesSaid = (chunks: Parameters<typeof saidIn>[0]) => Buffer.byteLength(saidIn(chunks));

const CASES: Readonly<Record<string, Case>> = {
  'status:400': both(isError(400, 'INVALID_ARGUMENT')),
  'status:401': both(isError(401, 'UNAUTHENTICATED')),
  'status:403': both(isError(403, 'PERMISSION_DENIED')),
  'status:404': both(isError(404, 'NOT_FOUND')),
  'status:429': both((answer) => {
    isError(429, 'RESOURCE_EXHAUSTED')(answer);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(errorIn(answer).details).toEqual([
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' },
    ]);
  }),
  'status:500': both(isError(500, 'INTERNAL')),
  'status:503': both(isError(503, 'UNAVAILABLE')),
  'status:504': both(isError(504, 'DEADLINE_EXCEEDED')),
  'html:502': both((answer) => {
    expect([answer.status, answer.headers.get('content-type')]).toEqual([502, 'text/html; charset=UTF-8']);
    expect(answer.text).toMatch(/^<!DOCTYPE html>/);
  }),
  cut: {
    stream: beginsThen(/^$/, true),
    unary: (answer) =>
      expect([answer.status, answer.isBroken, answer.text.slice(0, 20)]).toEqual([200, true, '{\n  "candidates": [\n']),
  },
  eof: {
    stream: beginsThen(/^$/),
    unary: (answer) => {
      expect(unaryCandidate(answer)).not.toHaveProperty('finishReason');
      expect(saidIn([documentIn(answer)])).not.toBe('');
    },
  },
  garbage: {
    stream: (answer) => {
      beginsThen(/^data: \{"candidates"/)(answer);
      expect(() => chunksIn(answer)).toThrow(SyntaxError);
    },
    unary: (answer) => {
      expect([answer.status, answer.isBroken]).toEqual([200, false]);
      expect(() => documentIn(answer)).toThrow(SyntaxError);
    },
  },
  'error-bare': { stream: beginsThen(/^\{\n {2}"error": \{\n {4}"code": 503/), unary: isError(503, 'UNAVAILABLE') },
  'error-data': { stream: beginsThen(/^data: \{"error":\{"code":503/), unary: isError(503, 'UNAVAILABLE') },
  'error-array': {
    stream: beginsThen(/^\[\{\n {2}"error": \{\n {4}"code": 503[\s\S]*\]\n$/),
    unary: isError(503, 'UNAVAILABLE'),
  },
  'block-prompt': both((answer) => {
    const chunk = documentIn({ ...answer, text: answer.text.replace(/^data: /, '') });
    expect(chunk.promptFeedback).toMatchObject({ blockReason: 'SAFETY' });
    expect(chunk).not.toHaveProperty('candidates');
    expect(chunk.usageMetadata).not.toHaveProperty('candidatesTokenCount');
  }),
  'block-answer': {
    stream: endsWith('SAFETY', undefined),
    unary: (answer) => {
      expect(unaryCandidate(answer)).toMatchObject({
        finishReason: 'SAFETY',
        safetyRatings: expect.arrayContaining([expect.objectContaining({ blocked: true })]),
      });
      expect(unaryCandidate(answer)).not.toHaveProperty('content');
    },
  },
  recitation: {
    stream: endsWith('RECITATION', undefined),
    unary: (answer) =>
      expect(unaryCandidate(answer)).toMatchObject({
        finishReason: 'RECITATION',
        citationMetadata: { citations: [{ endIndex: 40 }, {}] },
      }),
  },
  'finish:FAKE_NEW_REASON': {
    stream: (answer) => expect(finishReasons(answer)).toEqual(['FAKE_NEW_REASON']),
    unary: (answer) => expect(unaryCandidate(answer)?.finishReason).toBe('FAKE_NEW_REASON'),
  },
  empty: {
    stream: (answer) =>
      expect(candidatesIn(chunksIn(answer))).toMatchObject([
        { content: { parts: [{ text: '' }] }, finishReason: 'STOP' },
      ]),
    unary: (answer) =>
      expect(unaryCandidate(answer)).toMatchObject({ content: { parts: [{ text: '' }] }, finishReason: 'STOP' }),
  },
  'no-parts': {
    stream: endsWith('STOP', { role: 'model' }),
    unary: (answer) =>
      expect(unaryCandidate(answer)).toMatchObject({ content: { role: 'model' }, finishReason: 'STOP' }),
  },
  'call:getWeather': both(calls('getWeather')),
  'calls:3': both(calls('lookup', 'lookup', 'lookup')),
  thoughts: {
    stream: (answer) => expect(partsIn(chunksIn(answer))[0]?.thought).toBe(true),
    unary: (answer) =>
      expect(partsIn([documentIn(answer)]).map((part) => [part.thought, part.thoughtSignature !== undefined])).toEqual([
        [true, false],
        [true, false],
        [undefined, true],
      ]),
  },
  signature: {
    stream: (answer) => {
      expect(partsIn(chunksIn(answer)).at(-1)).toEqual({ text: '', thoughtSignature: expect.any(String) });
      expect(finishReasons(answer)).toEqual(['STOP']);
    },
    unary: (answer) =>
      expect(partsIn([documentIn(answer)]).at(-1)).toEqual({ text: '', thoughtSignature: expect.any(String) }),
  },
  image: {
    stream: (answer) => expect(partsIn(chunksIn(answer)).at(-1)?.inlineData?.mimeType).toBe('image/png'),
    unary: (answer) =>
      expect(documentIn(answer).usageMetadata?.candidatesTokensDetails).toMatchObject([
        { modality: 'TEXT' },
        { modality: 'IMAGE' },
      ]),
  },
  citations: {
    stream: (answer) =>
      expect(candidatesIn(chunksIn(answer)).at(-1)).toMatchObject({ finishReason: 'STOP', citationMetadata: {} }),
    unary: (answer) => expect(unaryCandidate(answer)).toMatchObject({ finishReason: 'STOP', citationMetadata: {} }),
  },
  'big:100001': {
    stream: (answer) => expect([chunksIn(answer).length, bytesSaid(chunksIn(answer))]).toEqual([7, 100_001]),
    unary: (answer) => expect(bytesSaid([documentIn(answer)])).toBe(100_001),
  },
  'chunks:200': {
    stream: (answer) => {
      expect(chunksIn(answer)).toHaveLength(200);
      expect(partsIn(chunksIn(answer)).every((part) => part.text !== '')).toBe(true);
    },
    unary: isDocument,
  },
  'candidates:3': {
    stream: (answer) => expect(new Set([0, 1, 2].map((index) => saidIn(chunksIn(answer), index))).size).toBe(3),
    unary: (answer) => expect(documentIn(answer).candidates?.map((candidate) => candidate.index)).toEqual([0, 1, 2]),
  },
  lf: {
    stream: (answer) => {
      expect(answer.text).not.toContain('\r');
      isWhole(answer);
    },
    unary: isDocument,
  },
  unterminated: {
    stream: (answer) => {
      expect(answer.text.endsWith('}')).toBe(true);
      isWhole(answer);
    },
    unary: isDocument,
  },
  'slices:3': { stream: isWhole, unary: isDocument },
  'slow:1': { stream: isWhole, unary: isDocument },
  'delay:1': { stream: isWhole, unary: isDocument },
  'once-status:503:table': both(() => {}),
  'stall:0': both(() => {}),
  silence: both(() => {}),
  continuation: both(() => {}),
};

// These do not end by themselves, or need a second request: they have tests of their own in faults.test.ts.
const APART = /^(once-status|stall|silence|continuation)/;

const cases = Object.entries(CASES).filter(([name]) => !APART.test(name));

test('every fault has a test', () => {
  expect(Object.keys(FAULTS.gemini).sort()).toEqual(
    [...new Set(Object.keys(CASES).map((name) => name.replace(/:.*/, '')))].sort(),
  );
});

describe.each(cases)('[[%s]]', (name, check) => {
  test('arrives in a stream as described', async () =>
    check.stream(await stream(emulator.address, `Why? [[${name}]]`)));

  test('has its equivalent in a unary answer', async () =>
    check.unary(await unary(emulator.address, `Why? [[${name}]]`)));

  test('does the same when the model is named after it', async () => {
    check.stream(await stream(emulator.address, 'Why?', {}, `fault-${name.replace(':', '-')}`));
  });
});
