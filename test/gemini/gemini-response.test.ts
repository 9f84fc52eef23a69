// What is read out of the model's JSON: candidates, usage, blocks and errors, and what becomes of nonsense.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChatError } from '../../src/chat/errors.ts';
import { codeOf, read } from './read-response.ts';

describe('a candidate', () => {
  it('is read with its parts as they are, and fields that nobody knows in them', () => {
    const parts = [{ text: 'a', thoughtSignature: 'c2ln', news: [1] }, { hologram: {} }, { text: '' }];
    const chunk = read({
      candidates: [{ content: { role: 'model', parts }, index: 2, finishReason: 'STOP', tokenCount: 3 }],
    });
    expect(chunk).toEqual({ candidates: [{ index: 2, parts, finishReason: 'STOP' }] });
  });

  it.each<[string, object]>([
    ['no content', {}],
    ['an empty content', { content: {} }],
    ['a content without parts', { content: { role: 'model' } }],
    ['parts that are null', { content: { parts: null } }],
  ])('may have %s', (_name, candidate) => {
    expect(read({ candidates: [candidate] })).toEqual({ candidates: [{ index: 0, parts: [] }] });
  });

  it('keeps every reason to finish, also one that nobody knows yet', () => {
    for (const finishReason of ['STOP', 'FINISH_REASON_UNSPECIFIED', 'FAKE_NEW_FINISH_REASON', 'CONTINUATION']) {
      expect(read({ candidates: [{ finishReason }] }).candidates[0]?.finishReason).toBe(finishReason);
    }
  });

  it('says nothing about its end with an empty reason or null', () => {
    for (const finishReason of ['', null])
      expect(read({ candidates: [{ finishReason }] })).toEqual(read({ candidates: [{}] }));
  });

  it('is one of several, in the order of the wire', () => {
    const { candidates } = read({ candidates: [{ index: 1 }, { index: 0 }, { index: 7 }] });
    expect(candidates.map(({ index }) => index)).toEqual([1, 0, 7]);
  });

  it('has its ratings as they came, and a score for each category that was given one', () => {
    const safetyRatings = [
      { category: 'A', probability: 'LOW', probabilityScore: 0.25, severityScore: 0.5, news: 1 },
      { category: 'B', probability: 'HIGH', blocked: true },
      { category: 'C', probabilityScore: 0 },
    ];
    expect(read({ candidates: [{ safetyRatings }] }).candidates[0]).toEqual({
      index: 0,
      parts: [],
      safetyRatings,
      safetyAttributes: { A: 0.25, C: 0 },
    });
  });
});

describe('usage', () => {
  it('is read by name, with what was not counted left out', () => {
    const usageMetadata = {
      promptTokenCount: 3,
      candidatesTokenCount: 0,
      totalTokenCount: 3,
      trafficType: 'ON_DEMAND',
    };
    expect(read({ usageMetadata }).usage).toEqual({ promptTokens: 3, outputTokens: 0, totalTokens: 3 });
    const thinking = { thoughtsTokenCount: 5, cachedContentTokenCount: 2, toolUsePromptTokenCount: 9 };
    expect(read({ usageMetadata: thinking }).usage).toEqual({ thoughtTokens: 5, cachedTokens: 2 });
  });

  it('is absent when nothing was counted, as in the first chunks of a stream', () => {
    for (const usageMetadata of [{ trafficType: 'ON_DEMAND' }, {}, null, 'x', [], { promptTokenCount: 'many' }]) {
      expect(read({ candidates: [], usageMetadata })).not.toHaveProperty('usage');
    }
  });

  it('is never negative, broken or infinite', () => {
    const usageMetadata = JSON.parse('{"promptTokenCount":-5,"candidatesTokenCount":1.9,"totalTokenCount":1e999}');
    expect(read({ usageMetadata }).usage).toEqual({ outputTokens: 1 });
  });

  it('holds no count that could not be added up', () => {
    const usageMetadata = {
      promptTokenCount: 1e19,
      candidatesTokenCount: 2,
      thoughtsTokenCount: 9e15,
      totalTokenCount: '7',
    };
    expect(read({ usageMetadata }).usage).toEqual({ outputTokens: 2, totalTokens: 7 });
  });
});

describe('a response as a whole', () => {
  it('tells why the prompt was blocked, and the version of the model', () => {
    expect(read({ promptFeedback: { blockReason: 'SAFETY', safetyRatings: [] }, modelVersion: 'm-1' })).toEqual({
      candidates: [],
      promptBlockReason: 'SAFETY',
      modelVersion: 'm-1',
    });
  });

  it('is no block when there is feedback without a reason', () => {
    for (const promptFeedback of [{}, { safetyRatings: [] }, { blockReason: '' }, { blockReason: null }]) {
      expect(read({ promptFeedback })).toEqual({ candidates: [] });
    }
  });

  it.each(['candidates', 'promptFeedback', 'usageMetadata', 'modelVersion', 'responseId'])(
    'may hold nothing but %s',
    (mark) => {
      const value = { candidates: [], promptFeedback: {}, usageMetadata: {}, modelVersion: 'm', responseId: 'r' }[mark];
      expect(read({ [mark]: value, unknown: { field: 1 } }).candidates).toEqual([]);
    },
  );

  it('may be wrapped in an array', () => {
    expect(read([{ candidates: [{ finishReason: 'STOP' }] }]).candidates[0]?.finishReason).toBe('STOP');
  });

  it.each<[string, unknown, string]>([
    ['an error', { error: { code: 503, status: 'UNAVAILABLE', message: 'x' } }, 'model_error'],
    ['an error in an array', [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } }], 'model_overloaded'],
    [
      'an error beside candidates',
      { candidates: [{ finishReason: 'STOP' }], error: { code: 400 } },
      'unsupported_by_model',
    ],
    ['a cancelled call', { error: { code: 499, status: 'CANCELLED' } }, 'model_error'],
    ['an error without a code', { error: {} }, 'model_error'],
    ['an error with a nonsense code', { error: { code: 'x' } }, 'model_error'],
    ['a timeout', { error: { code: 504, status: 'DEADLINE_EXCEEDED' } }, 'model_timeout'],
    ['null', null, 'model_protocol_error'],
    ['a string', 'hello', 'model_protocol_error'],
    ['a number', 5, 'model_protocol_error'],
    ['an empty array', [], 'model_protocol_error'],
    ['an array of two', [{ candidates: [] }, { candidates: [] }], 'model_protocol_error'],
    ['an empty object', {}, 'model_protocol_error'],
    ['some other object', { this: [{ is: { not: [{ a: 'valid' }] } }] }, 'model_protocol_error'],
    ['an error that is a text', { error: 'boom' }, 'model_protocol_error'],
  ])('is refused when it is %s', (_name, value, code) => {
    expect(codeOf(value)).toBe(code);
  });

  it('is refused when nobody can tell which candidate is meant', () => {
    for (const index of [-1, 0.5, '1', JSON.parse('1e999'), {}]) {
      expect(codeOf({ candidates: [{ index }] })).toBe('model_protocol_error');
    }
  });

  const valid = {
    candidates: [
      {
        index: 0,
        finishReason: 'STOP',
        content: { role: 'model', parts: [{ text: 'abc' }] },
        safetyRatings: [{ category: 'A', probabilityScore: 1 }],
        citationMetadata: {
          citations: [{ startIndex: 0, endIndex: 1, uri: 'u', publicationDate: { year: 1, month: 2, day: 3 } }],
        },
        groundingMetadata: {
          webSearchQueries: ['q'],
          groundingChunks: [{ web: { uri: 'u', title: 't' } }],
          groundingSupports: [{ segment: { startIndex: 0, endIndex: 2, partIndex: 0 }, groundingChunkIndices: [0] }],
        },
      },
    ],
    promptFeedback: { blockReason: '' },
    usageMetadata: { promptTokenCount: 1 },
    modelVersion: 'm',
    error: undefined as unknown,
  };
  const nonsense = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc
      .constantFrom('{"toString":1,"valueOf":1}', '1e999', '-1', '{"length":3,"0":1}', '{"__proto__":1}', '[[[]]]')
      .map((it) => JSON.parse(it)),
  );

  it('is read or refused, and nothing else, whatever stands at any one place of it', () => {
    const places = [...pathsOf(valid), ['error'], ['error', 'code']];
    const body = fc.property(fc.constantFrom(...places), nonsense, (place, value) => {
      const broken = withValue(structuredClone(valid), place, value);
      try {
        read(broken);
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
      }
    });
    fc.assert(body, { numRuns: 3000 });
  });
});

function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inside = Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
  return path.length === 0 ? inside : [path, ...inside];
}

function withValue(whole: object, path: readonly string[], value: unknown): unknown {
  let place = whole as Record<string, unknown>;
  for (const key of path.slice(0, -1)) {
    place[key] ??= {};
    place = place[key] as Record<string, unknown>;
  }
  place[path.at(-1) ?? ''] = value;
  return whole;
}
