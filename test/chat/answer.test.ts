// What an answer amounts to: the contract's table of terminal states, as data.

import { describe, expect, it } from 'vitest';
import {
  type Answer,
  addChunk,
  chunkSize,
  judge,
  NO_ANSWER,
  presentCandidate,
  reportedUsage,
} from '../../src/chat/answer.ts';
import type { Part } from '../../src/chat/content.ts';
import type { CandidateChunk, ModelChunk } from '../../src/chat/language-model.ts';

const TEXT: readonly Part[] = [{ text: 'Hello' }];
const CALL: readonly Part[] = [{ functionCall: { name: 'f', args: {} } }];

function candidate(parts: readonly Part[], finishReason?: string, index = 0): CandidateChunk {
  return { index, parts, ...(finishReason === undefined ? {} : { finishReason }) };
}

function answerOf(...chunks: readonly ModelChunk[]): Answer {
  return chunks.reduce(addChunk, NO_ANSWER);
}

/** The verdict in words: `COMMITTED 0`, `BLOCKED SAFETY`, `FAILED model_protocol_error`. */
function verdictOf(answer: Answer, isStream: boolean): string {
  const verdict = judge(answer, isStream);
  switch (verdict.state) {
    case 'COMMITTED':
      return `COMMITTED ${verdict.chosenCandidate}`;
    case 'BLOCKED':
      return `BLOCKED ${verdict.blockReason}`;
    case 'FAILED':
      return `FAILED ${verdict.error.code}`;
    default:
      return verdict satisfies never;
  }
}

const FAILED = 'FAILED model_protocol_error';
const BOTH = 'both';

interface Case {
  readonly name: string;
  readonly candidates: readonly CandidateChunk[];
  readonly stream: string;
  /** `both`: the same as of a stream. */
  readonly unary: string;
}

const FINISH_REASONS: readonly Case[] = [
  ...['STOP', 'MAX_TOKENS'].flatMap((reason): readonly Case[] => [
    { name: `${reason} with text`, candidates: [candidate(TEXT, reason)], stream: 'COMMITTED 0', unary: BOTH },
    { name: `${reason} with a call`, candidates: [candidate(CALL, reason)], stream: 'COMMITTED 0', unary: BOTH },
    { name: `${reason} with nothing`, candidates: [candidate([], reason)], stream: 'BLOCKED EMPTY', unary: BOTH },
    {
      name: `${reason} with thoughts alone`,
      candidates: [candidate([{ text: 'hm', thought: true }], reason)],
      stream: 'BLOCKED EMPTY',
      unary: BOTH,
    },
    {
      name: `${reason} with white space`,
      candidates: [candidate([{ text: ' ' }], reason)],
      stream: 'COMMITTED 0',
      unary: BOTH,
    },
  ]),
  ...['SAFETY', 'RECITATION', 'MALFORMED_FUNCTION_CALL', 'PROHIBITED_CONTENT', 'SPII', 'A_VALUE_OF_TOMORROW'].flatMap(
    (reason): readonly Case[] => [
      { name: `${reason} with text`, candidates: [candidate(TEXT, reason)], stream: `BLOCKED ${reason}`, unary: BOTH },
      {
        name: `${reason} with a call`,
        candidates: [candidate(CALL, reason)],
        stream: `BLOCKED ${reason}`,
        unary: BOTH,
      },
      { name: `${reason} with nothing`, candidates: [candidate([], reason)], stream: `BLOCKED ${reason}`, unary: BOTH },
    ],
  ),
  ...[undefined, '', 'FINISH_REASON_UNSPECIFIED'].flatMap((reason): readonly Case[] => {
    const name = reason === undefined ? 'no reason' : `the reason "${reason}"`;
    return [
      { name: `${name}, with text`, candidates: [candidate(TEXT, reason)], stream: FAILED, unary: 'COMMITTED 0' },
      { name: `${name}, with a call`, candidates: [candidate(CALL, reason)], stream: FAILED, unary: 'COMMITTED 0' },
      { name: `${name}, with nothing`, candidates: [candidate([], reason)], stream: FAILED, unary: FAILED },
    ];
  }),
  { name: 'CONTINUATION, with text', candidates: [candidate(TEXT, 'CONTINUATION')], stream: FAILED, unary: FAILED },
  { name: 'CONTINUATION, with nothing', candidates: [candidate([], 'CONTINUATION')], stream: FAILED, unary: FAILED },
  { name: 'no candidate at all', candidates: [], stream: FAILED, unary: FAILED },
];

const SEVERAL: readonly Case[] = [
  {
    name: 'the first usable one is chosen',
    candidates: [candidate(TEXT, 'SAFETY', 0), candidate(TEXT, 'STOP', 1), candidate(TEXT, 'STOP', 2)],
    stream: 'COMMITTED 1',
    unary: BOTH,
  },
  {
    name: 'an empty one is passed over',
    candidates: [candidate([], 'STOP', 0), candidate(TEXT, 'MAX_TOKENS', 3)],
    stream: 'COMMITTED 3',
    unary: BOTH,
  },
  {
    name: 'the model’s numbers count, not the order of coming',
    candidates: [candidate(TEXT, 'STOP', 5), candidate(TEXT, 'STOP', 2)],
    stream: 'COMMITTED 2',
    unary: BOTH,
  },
  {
    name: 'in a stream, one without a reason is unusable beside one that has finished',
    candidates: [candidate(TEXT, undefined, 0), candidate(TEXT, 'STOP', 1)],
    stream: 'COMMITTED 1',
    unary: 'COMMITTED 0',
  },
  {
    name: 'none usable: the first one’s reason',
    candidates: [candidate(TEXT, 'RECITATION', 0), candidate(TEXT, 'SAFETY', 1)],
    stream: 'BLOCKED RECITATION',
    unary: BOTH,
  },
  {
    name: 'none usable, the first one empty',
    candidates: [candidate([], 'STOP', 0), candidate(TEXT, 'SAFETY', 1)],
    stream: 'BLOCKED EMPTY',
    unary: BOTH,
  },
  {
    name: 'none has finished',
    candidates: [candidate(TEXT, undefined, 0), candidate(TEXT, undefined, 1)],
    stream: FAILED,
    unary: 'COMMITTED 0',
  },
];

describe('the terminal state', () => {
  it.each(FINISH_REASONS)('of one candidate with $name', ({ candidates, stream, unary }) => {
    expect(verdictOf({ candidates }, true)).toBe(stream);
    expect(verdictOf({ candidates }, false)).toBe(unary === BOTH ? stream : unary);
  });

  it.each(SEVERAL)('of several candidates: $name', ({ candidates, stream, unary }) => {
    const answer = answerOf(...candidates.map((said) => ({ candidates: [said] })));
    expect(verdictOf(answer, true)).toBe(stream);
    expect(verdictOf(answer, false)).toBe(unary === BOTH ? stream : unary);
  });

  it.each([true, false])('of a blocked prompt is its reason, whatever else was said (stream: %s)', (isStream) => {
    const promptBlockReason = 'PROHIBITED_CONTENT';
    for (const candidates of [[], [candidate(TEXT, 'STOP')], [candidate([], 'SAFETY')], [candidate(TEXT)]]) {
      expect(verdictOf({ candidates, promptBlockReason }, isStream)).toBe('BLOCKED PROHIBITED_CONTENT');
    }
  });

  it.each<[string, Part]>([
    ['inline data', { inlineData: { mimeType: 'image/png', data: 'AA==' } }],
    ['file data', { fileData: { fileUri: 'gs://a/b' } }],
    ['code', { executableCode: { code: '1' } }],
    ['the result of code', { codeExecutionResult: { output: '1' } }],
    ['a call', { functionCall: { name: 'f' } }],
    ['a signed call', { functionCall: { name: 'f' }, thoughtSignature: 'AA==' }],
  ])('is COMMITTED for an answer of %s alone', (_name, part) => {
    expect(verdictOf({ candidates: [candidate([part], 'STOP')] }, true)).toBe('COMMITTED 0');
  });
});

describe('an answer in the making', () => {
  it('joins the parts of each candidate, and keeps them in the order of their numbers', () => {
    const answer = answerOf(
      { candidates: [candidate([{ text: 'b1' }], undefined, 1)] },
      { candidates: [candidate([{ text: 'a1' }], undefined, 0), candidate([{ text: 'b2' }], undefined, 1)] },
    );
    expect(answer.candidates).toEqual([
      { index: 0, parts: [{ text: 'a1' }] },
      { index: 1, parts: [{ text: 'b1b2' }] },
    ]);
  });

  it('takes the newest of what chunks report, and keeps what later ones do not mention', () => {
    const answer = answerOf(
      { candidates: [{ ...candidate(TEXT), safetyAttributes: { HARM: 0.1 } }], modelVersion: 'm-1' },
      { candidates: [{ ...candidate([]), citations: [{ startIndex: 0, endIndex: 5, url: 'https://a' }] }] },
      { candidates: [{ ...candidate([], 'STOP'), safetyAttributes: { HARM: 0.2 } }], promptBlockReason: 'OTHER' },
    );
    expect(answer).toEqual({
      candidates: [
        {
          index: 0,
          parts: TEXT,
          finishReason: 'STOP',
          safetyAttributes: { HARM: 0.2 },
          citations: [{ startIndex: 0, endIndex: 5, url: 'https://a' }],
        },
      ],
      modelVersion: 'm-1',
      promptBlockReason: 'OTHER',
    });
  });

  it('leaves the answer before it as it was', () => {
    const before = answerOf({ candidates: [candidate([{ text: 'a' }])] });
    const copy = structuredClone(before);
    addChunk(before, { candidates: [candidate([{ text: 'b' }], 'STOP')], usage: { promptTokens: 1 } });
    expect(before).toEqual(copy);
  });

  it('is committed when the finish reason comes in a chunk without parts', () => {
    expect(verdictOf(answerOf({ candidates: [candidate(TEXT)] }, { candidates: [candidate([], 'STOP')] }), true)).toBe(
      'COMMITTED 0',
    );
  });
});

describe('the reported usage', () => {
  it('is nothing when the model reported nothing', () => {
    expect(reportedUsage(NO_ANSWER)).toBeUndefined();
  });

  it('is the newest number of each kind', () => {
    const answer = answerOf(
      { candidates: [], usage: { promptTokens: 10, outputTokens: 1, totalTokens: 11 } },
      { candidates: [], usage: { outputTokens: 5, thoughtTokens: 2, totalTokens: 17 } },
      { candidates: [] },
    );
    expect(reportedUsage(answer)).toEqual({ promptTokens: 10, outputTokens: 5, thoughtTokens: 2, totalTokens: 17 });
  });

  it('is summed when the model gives no total', () => {
    const answer = answerOf({ candidates: [], usage: { promptTokens: 10, thoughtTokens: 2 } });
    expect(reportedUsage(answer)).toEqual({ promptTokens: 10, outputTokens: 0, thoughtTokens: 2, totalTokens: 12 });
  });
});

describe('a candidate as clients read it', () => {
  it('has every field of the seed written out, and what the model reported', () => {
    const safetyRatings = [{ category: 'HARM', probability: 'LOW' }];
    const said = { ...candidate([...TEXT, { text: 'hm', thought: true }], 'STOP'), safetyRatings };
    expect(presentCandidate(said, true, judge({ candidates: [said] }, true))).toEqual({
      index: 0,
      text: 'Hello',
      parts: said.parts,
      finishReason: 'STOP',
      isBlocked: false,
      errors: [],
      safetyAttributes: {},
      safetyRatings,
      groundingMetadata: { citations: [], searchQueries: [] },
      citations: [],
    });
  });

  it('keeps the text that was streamed before it was blocked', () => {
    const said = candidate(TEXT, 'SAFETY');
    const shown = presentCandidate(said, true, judge({ candidates: [said] }, true));
    expect(shown).toMatchObject({ text: 'Hello', isBlocked: true, blockReason: 'SAFETY', finishReason: 'SAFETY' });
  });

  it('is blocked as EMPTY when it finished without an answer', () => {
    const said = candidate([], 'STOP');
    const shown = presentCandidate(said, true, judge({ candidates: [said] }, true));
    expect(shown).toMatchObject({ isBlocked: true, blockReason: 'EMPTY', finishReason: 'STOP' });
  });

  it('is not blocked in a turn that failed, or has no end yet', () => {
    const said = candidate([], 'SAFETY');
    const failed = judge({ candidates: [candidate(TEXT)] }, true);
    expect(failed.state).toBe('FAILED');
    expect(presentCandidate(said, true, failed).isBlocked).toBe(false);
    expect(presentCandidate(said, true).isBlocked).toBe(false);
  });

  it('names a finish reason that was not given as unspecified', () => {
    expect(presentCandidate(candidate(TEXT), false).finishReason).toBe('FINISH_REASON_UNSPECIFIED');
  });
});

describe('the size of a chunk', () => {
  it('is its text, and its JSON where it is more than text', () => {
    const call = { functionCall: { name: 'f' } };
    expect(chunkSize([{ text: 'abc' }, { text: '' }])).toBe(3);
    expect(chunkSize([call, { text: 'abc' }])).toBe(JSON.stringify(call).length + 3);
    expect(chunkSize([])).toBe(0);
  });
});
