// What an answer amounts to: the contract's table of terminal states, as data.

import { describe, expect, it } from 'vitest';
import { type Answer, addChunk, judge, NO_ANSWER } from '../../src/chat/answer.ts';
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
