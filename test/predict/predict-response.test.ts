// Predictions of the legacy wire as answers: parallel arrays, blocked flags, error codes, token metadata, streams.

import { describe, expect, it } from 'vitest';
import { PredictionStream, readPrediction } from '../../src/adapters/predict/predict-response.ts';
import { toTensor } from '../../src/adapters/predict/tensor.ts';
import { addChunk, judge, NO_ANSWER } from '../../src/chat/answer.ts';
import { ChatError } from '../../src/chat/errors.ts';

/** A reply of chat-bison as it was recorded by a third party. */
const RECORDED = {
  predictions: [
    {
      candidates: [{ author: '1', content: ' There are eight planets ...' }],
      groundingMetadata: [{}],
      safetyAttributes: [
        {
          blocked: false,
          categories: ['Insult', 'Religion & Belief', 'Sexual'],
          scores: [0.1, 0.5, 0.1],
          safetyRatings: [
            { category: 'Dangerous Content', severity: 'NEGLIGIBLE', severityScore: 0, probabilityScore: 0.1 },
          ],
        },
      ],
      citationMetadata: [{ citations: [] }],
    },
  ],
  metadata: {
    tokenMetadata: {
      inputTokenCount: { totalBillableCharacters: 91, totalTokens: 21 },
      outputTokenCount: { totalBillableCharacters: 95, totalTokens: 26 },
    },
  },
};

function predicted(prediction: object) {
  return readPrediction({ predictions: [prediction] }).candidates;
}

function codeOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof ChatError) return error.code;
    throw error;
  }
  return 'none';
}

describe('a prediction', () => {
  it('of the real model is read whole', () => {
    expect(readPrediction(RECORDED)).toEqual({
      candidates: [
        {
          index: 0,
          parts: [{ text: ' There are eight planets ...' }],
          finishReason: 'STOP',
          safetyAttributes: { Insult: 0.1, 'Religion & Belief': 0.5, Sexual: 0.1 },
          safetyRatings: [
            { category: 'Dangerous Content', severity: 'NEGLIGIBLE', severityScore: 0, probabilityScore: 0.1 },
          ],
        },
      ],
      usage: { promptTokens: 21, outputTokens: 26 },
    });
  });

  it('has each candidate with what stands at its place in the other lists', () => {
    const [first, second] = predicted({
      candidates: [
        { author: '1', content: 'Chat response 1' },
        { author: '1', content: '' },
      ],
      safetyAttributes: [
        { scores: [], blocked: false, categories: [] },
        { scores: [0.1], categories: ['Finance'], blocked: true, errors: [100] },
      ],
      groundingMetadata: [
        { citations: [{ startIndex: 1, endIndex: 2, url: 'url1' }], searchQueries: ['searchQuery1'] },
        null,
      ],
      citationMetadata: [
        {
          citations: [{ title: 'T', publicationDate: '1727', startIndex: 12, endIndex: 181, url: 'u', license: 'mit' }],
        },
        null,
      ],
    });
    expect(first).toMatchObject({
      index: 0,
      finishReason: 'STOP',
      safetyAttributes: {},
      groundingMetadata: {
        citations: [{ startIndex: 1, endIndex: 2, url: 'url1' }],
        searchQueries: ['searchQuery1'],
      },
      citations: [{ startIndex: 12, endIndex: 181, url: 'u', title: 'T', license: 'mit', publicationDate: '1727' }],
    });
    expect(second).toEqual({
      index: 1,
      parts: [],
      finishReason: 'SAFETY',
      errors: [100],
      safetyAttributes: { Finance: 0.1 },
    });
  });

  it('is read without the lists that are not there, where the SDK failed with a KeyError', () => {
    expect(predicted({ candidates: [{ content: 'a' }] })).toEqual([
      { index: 0, parts: [{ text: 'a' }], finishReason: 'STOP' },
    ]);
  });

  it('has whole numbers for error codes, however JSON writes them', () => {
    const safetyAttributes = [{ blocked: true, errors: [100.0, '253', 'x'] }];
    expect(predicted({ candidates: [{ content: '' }], safetyAttributes })[0]?.errors).toEqual([100, 253]);
  });

  it('is only the first one, since there was only one instance', () => {
    const of = (content: string) => ({ candidates: [{ content }] });
    const { candidates } = readPrediction({ predictions: [of('a'), of('b')] });
    expect(candidates.map(({ parts }) => parts)).toEqual([[{ text: 'a' }]]);
  });

  it.each<[string, unknown]>([
    ['no object', 'text'],
    ['no predictions', {}],
    ['an empty list of predictions', { predictions: [] }],
    ['no candidates', { predictions: [{ safetyAttributes: [] }] }],
    ['an empty list of candidates', { predictions: [{ candidates: [] }] }],
    ['a content that is no text', { predictions: [{ candidates: [{ content: { a: 1 } }] }] }],
    ['an answer of the other wire', { candidates: [{ content: { parts: [{ text: 'a' }] } }] }],
  ])('is none when there is %s', (_what, value) => {
    expect(codeOf(() => readPrediction(value))).toBe('model_protocol_error');
  });

  it('may be an error, also one that is wrapped in an array', () => {
    const error = { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'quota' } };
    expect(codeOf(() => readPrediction(error))).toBe('model_overloaded');
    expect(codeOf(() => new PredictionStream().read([error]))).toBe('model_overloaded');
  });
});

function streamed(...predictions: readonly object[]) {
  const stream = new PredictionStream();
  const chunks = predictions.map((prediction) => stream.read({ outputs: [toTensor(prediction)] }));
  return [...chunks, stream.end()].reduce(addChunk, NO_ANSWER);
}

describe('what is no fact', () => {
  const odd = { toString: 1, valueOf: 1 };

  it.each([true, 1, '1', 'true', {}])('blocked is what is not clearly "no": %j', (blocked) => {
    expect(predicted({ candidates: [{ content: 'bad words' }], safetyAttributes: [{ blocked }] })[0]).toMatchObject({
      finishReason: 'SAFETY',
    });
  });

  it.each([false, 0, '', 'false', null, undefined])('and is not blocked: %j', (blocked) => {
    expect(predicted({ candidates: [{ content: 'words' }], safetyAttributes: [{ blocked }] })[0]).toMatchObject({
      finishReason: 'STOP',
    });
  });

  it.each([odd, [odd], [null], [''], [true], { a: 1 }])('is left out, wherever it stands: %j', (value) => {
    const prediction = {
      candidates: [{ content: 'a' }],
      safetyAttributes: [{ categories: value, scores: value, errors: value, safetyRatings: value }],
      groundingMetadata: [
        { citations: [{ startIndex: value, endIndex: value, url: value, title: value }], searchQueries: value },
      ],
      citationMetadata: [{ citations: [{ license: value, publicationDate: value }] }],
    };
    const metadata = { tokenMetadata: { inputTokenCount: { totalTokens: value }, outputTokenCount: value } };
    const chunk = readPrediction({ predictions: [prediction], metadata, modelVersionId: value });
    expect(chunk.usage).toBeUndefined();
    const [candidate] = chunk.candidates;
    expect(candidate?.parts).toEqual([{ text: 'a' }]);
    expect(Object.values(candidate?.safetyAttributes ?? {}).every(Number.isFinite)).toBe(true);
    expect((candidate?.errors ?? []).every(Number.isSafeInteger)).toBe(true);
    expect(candidate?.citations).toEqual([{ startIndex: 0, endIndex: 0, url: '' }]);
  });

  it('holds no count of tokens that could not be added up', () => {
    const tokenMetadata = { inputTokenCount: { totalTokens: 1e300 }, outputTokenCount: { totalTokens: -3 } };
    expect(
      readPrediction({ predictions: [{ candidates: [{ content: 'a' }] }], metadata: { tokenMetadata } }).usage,
    ).toBe(undefined);
  });
});

describe('a stream of predictions', () => {
  it('adds up, and its clean end is the reason to finish', () => {
    const chunk = (content: string) => ({
      candidates: [{ author: '1', content }],
      safetyAttributes: [{ blocked: false, categories: null, scores: null }],
    });
    const answer = streamed(chunk('1. 2. '), chunk('3.'));
    expect(answer.candidates).toEqual([
      { index: 0, parts: [{ text: '1. 2. 3.' }], finishReason: 'STOP', errors: [], safetyAttributes: {} },
    ]);
    expect(judge(answer, true)).toEqual({ state: 'COMMITTED', chosenCandidate: 0 });
  });

  it('has several candidates, each with its own end', () => {
    const answer = streamed({
      candidates: [{ content: 'a' }, { content: 'b' }],
      safetyAttributes: [{ blocked: true, errors: [100] }, { blocked: false }],
    });
    expect(answer.candidates.map(({ index, finishReason }) => [index, finishReason])).toEqual([
      [0, 'SAFETY'],
      [1, 'STOP'],
    ]);
    expect(judge(answer, true)).toEqual({ state: 'COMMITTED', chosenCandidate: 1 });
  });

  it('stays blocked once it was, whatever comes after', () => {
    const answer = streamed(
      { candidates: [{ content: 'half' }], safetyAttributes: [{ blocked: true, errors: [100] }] },
      { candidates: [{ content: ' more' }], safetyAttributes: [{ blocked: false, errors: [253] }] },
    );
    expect(answer.candidates[0]).toMatchObject({ finishReason: 'SAFETY', errors: [100, 253] });
    expect(judge(answer, true)).toEqual({ state: 'BLOCKED', blockReason: 'SAFETY' });
  });

  it('takes a list of one that has become its only item', () => {
    const output = {
      structVal: {
        candidates: { structVal: { content: { stringVal: ['a'] } } },
        safetyAttributes: {
          structVal: {
            categories: { stringVal: ['Finance'] },
            scores: { doubleVal: [0.5] },
            errors: { int64Val: ['7'] },
          },
        },
      },
    };
    const { candidates } = new PredictionStream().read({ outputs: [output] });
    expect(candidates).toEqual([{ index: 0, parts: [{ text: 'a' }], errors: [7], safetyAttributes: { Finance: 0.5 } }]);
  });

  it('keeps the citations of all its chunks, each once', () => {
    const cited = (...ends: readonly number[]) => ({
      candidates: [{ content: 'x' }],
      citationMetadata: [{ citations: ends.map((endIndex) => ({ startIndex: 0, endIndex, url: 'u' })) }],
    });
    expect(streamed(cited(1), cited(1, 2)).candidates[0]?.citations?.map(({ endIndex }) => endIndex)).toEqual([1, 2]);
  });

  it('that says nothing has not said that it finished', () => {
    expect(judge(streamed(), true)).toMatchObject({ state: 'FAILED', error: { code: 'model_protocol_error' } });
  });

  it.each<[string, unknown]>([
    ['no outputs', {}],
    ['no output', { outputs: [] }],
    ['more than one output', { outputs: [toTensor({}), toTensor({})] }],
    ['an output that is a scalar', { outputs: [{ stringVal: ['a'] }] }],
  ])('fails with %s in a chunk', (_what, value) => {
    expect(codeOf(() => new PredictionStream().read(value))).toBe('model_protocol_error');
  });
});
