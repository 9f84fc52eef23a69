// Every fault of the legacy wire as it arrives at a client: streamed, unary, by marker and by model. What needs more than one
// request is in predict-faults.test.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAULTS } from '../../src/emulator/faults.ts';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { type Answer, errorIn } from './ask.ts';
import {
  documentIn,
  eventsIn,
  outputIn,
  type Prediction,
  predict,
  predictionIn,
  predictionsIn,
  said,
  streamPredict,
  textIn,
} from './predict-ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

type Check = (answer: Answer) => void;
type Case = { readonly stream: Check; readonly unary: Check };

const both = (check: Check): Case => ({ stream: check, unary: check });

const isError = (code: number, status: string) => (answer: Answer) =>
  expect([answer.status, errorIn(answer).code, errorIn(answer).status]).toEqual([code, code, status]);

const blockedIn = (prediction: Prediction | undefined) =>
  prediction?.safetyAttributes.map(({ blocked, errors }) => [blocked, errors]);

const NOT_BLOCKED = [[false, undefined]];
const BLOCKED = [[true, [100]]];

const isWhole: Check = (answer) => {
  const predictions = predictionsIn(answer);
  expect(textIn(predictions)).toMatch(/^.*“Why\?”.*Before it I saw 0 earlier messages.*[?.🚀]$/su);
  expect(blockedIn(predictions.at(-1))).toEqual(NOT_BLOCKED);
};
const isDocument: Check = (answer) => {
  expect(textIn([predictionIn(answer)])).toMatch(/Before it I saw 0 earlier messages/);
  expect(blockedIn(predictionIn(answer))).toEqual(NOT_BLOCKED);
};

function beginsThen(rest: RegExp, isBroken = false): Check {
  return (answer) => {
    const events = answer.text.split('\r\n\r\n');
    const begun = events.slice(0, 2).map((event) => outputIn(JSON.parse(event.slice(6))));
    expect(begun.every((prediction) => textIn([prediction]) !== '')).toBe(true);
    expect(events.slice(2).join('\r\n\r\n')).toMatch(rest);
    expect([answer.status, answer.isBroken]).toEqual([200, isBroken]);
  };
}

/** Text, unless the prompt was blocked, and then a chunk that is empty and blocked. */
function endsBlocked(citations: number | undefined): Check {
  return (answer) => {
    const predictions = predictionsIn(answer);
    expect(predictions.slice(0, -1).every((prediction) => blockedIn(prediction)?.[0]?.[0] === false)).toBe(true);
    expect(textIn(predictions)).not.toBe('');
    const last = predictions.at(-1);
    expect([textIn(predictions.slice(-1)), blockedIn(last)]).toEqual(['', BLOCKED]);
    expect(last?.citationMetadata[0]?.citations?.length).toBe(citations);
  };
}

const isBlocked =
  (citations: number): Check =>
  (answer) => {
    const prediction = predictionIn(answer);
    expect([textIn([prediction]), blockedIn(prediction)]).toEqual(['', BLOCKED]);
    expect(prediction.citationMetadata[0]?.citations).toHaveLength(citations);
    expect(documentIn(answer).metadata.tokenMetadata.outputTokenCount.totalTokens).toBe(0);
  };

const CITED = [
  {
    startIndex: 0,
    endIndex: 40,
    url: 'https://example.com/emulated/source',
    title: expect.any(String),
    license: 'mit',
  },
  { startIndex: 42, endIndex: 80, url: 'https://example.org/emulated/other', publicationDate: '2026-05-10' },
];

const CASES: Readonly<Record<string, Case>> = {
  'status:400': both(isError(400, 'INVALID_ARGUMENT')),
  'status:403': both(isError(403, 'PERMISSION_DENIED')),
  'status:429': both((answer) => {
    isError(429, 'RESOURCE_EXHAUSTED')(answer);
    expect(answer.headers.get('retry-after')).toBe('1');
  }),
  'status:503': both(isError(503, 'UNAVAILABLE')),
  'html:502': both((answer) => {
    expect([answer.status, answer.text.startsWith('<!DOCTYPE html>')]).toEqual([502, true]);
  }),
  cut: {
    stream: beginsThen(/^$/, true),
    unary: (answer) =>
      expect([answer.status, answer.isBroken, answer.text.slice(0, 21)]).toEqual([
        200,
        true,
        '{\n  "predictions": [\n',
      ]),
  },
  eof: { stream: beginsThen(/^$/), unary: isDocument },
  garbage: {
    stream: (answer) => {
      beginsThen(/^data: \{"outputs"/)(answer);
      expect(() => eventsIn(answer)).toThrow(SyntaxError);
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
  'block-prompt': {
    stream: (answer) => {
      const predictions = predictionsIn(answer);
      expect([predictions.length, textIn(predictions), blockedIn(predictions[0])]).toEqual([1, '', BLOCKED]);
    },
    unary: isBlocked(0),
  },
  'block-answer': { stream: endsBlocked(undefined), unary: isBlocked(0) },
  recitation: { stream: endsBlocked(2), unary: isBlocked(2) },
  empty: {
    stream: (answer) => {
      const predictions = predictionsIn(answer);
      expect([predictions.length, textIn(predictions), blockedIn(predictions[0])]).toEqual([1, '', NOT_BLOCKED]);
    },
    unary: (answer) =>
      expect([textIn([predictionIn(answer)]), blockedIn(predictionIn(answer))]).toEqual(['', NOT_BLOCKED]),
  },
  citations: {
    stream: (answer) => {
      isWhole(answer);
      expect(predictionsIn(answer).at(-1)?.citationMetadata).toEqual([{ citations: CITED }]);
    },
    unary: (answer) => {
      isDocument(answer);
      expect(predictionIn(answer).citationMetadata).toEqual([{ citations: CITED }]);
    },
  },
  'big:100001': {
    stream: (answer) =>
      expect([eventsIn(answer).length, Buffer.byteLength(textIn(predictionsIn(answer)))]).toEqual([7, 100_001]),
    unary: (answer) => expect(Buffer.byteLength(textIn([predictionIn(answer)]))).toBe(100_001),
  },
  'chunks:200': {
    stream: (answer) => {
      expect(eventsIn(answer)).toHaveLength(200);
      expect(predictionsIn(answer).every((prediction) => textIn([prediction]) !== '')).toBe(true);
    },
    unary: isDocument,
  },
  'candidates:3': {
    stream: (answer) => {
      const predictions = predictionsIn(answer);
      expect(predictions.every(({ candidates }) => candidates.length === 3)).toBe(true);
      expect(new Set([0, 1, 2].map((index) => textIn(predictions, index))).size).toBe(3);
    },
    unary: (answer) => expect(new Set(predictionIn(answer).candidates.map(({ content }) => content)).size).toBe(3),
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
  'once-status:503:predict': both(() => {}),
  'stall:0': both(() => {}),
  silence: both(() => {}),
};

// These do not end by themselves, or need a second request: they have tests of their own in predict-faults.test.ts.
const APART = /^(once-status|stall|silence)/;

const cases = Object.entries(CASES).filter(([name]) => !APART.test(name));
const instance = (text: string) => ({ messages: said(text) });

test('every fault of the legacy wire has a test', () => {
  expect(Object.keys(FAULTS.predict).sort()).toEqual(
    [...new Set(Object.keys(CASES).map((name) => name.replace(/:.*/, '')))].sort(),
  );
});

describe.each(cases)('[[%s]]', (name, check) => {
  test('arrives in a stream as described', async () =>
    check.stream(await streamPredict(emulator.address, instance(`Why? [[${name}]]`))));

  test('has its equivalent in a unary answer', async () =>
    check.unary(await predict(emulator.address, instance(`Why? [[${name}]]`))));

  test('does the same when the model is named after it', async () => {
    const model = `fault-${name.replace(':', '-')}`;
    check.stream(await streamPredict(emulator.address, instance('Why?'), undefined, model));
    check.unary(await predict(emulator.address, instance('Why?'), {}, model));
  });
});
