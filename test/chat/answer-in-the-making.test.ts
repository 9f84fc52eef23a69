// An answer as it grows from chunk to chunk, what it used, and how its candidates are shown.

import { describe, expect, it } from 'vitest';
import {
  type Answer,
  addChunk,
  chunkSize,
  judge,
  NO_ANSWER,
  presentCandidate,
  reportedUsage,
  textToKeep,
} from '../../src/chat/answer.ts';
import type { Part } from '../../src/chat/content.ts';
import type { CandidateChunk, ModelChunk } from '../../src/chat/language-model.ts';

const TEXT: readonly Part[] = [{ text: 'Hello' }];

function candidate(parts: readonly Part[], finishReason?: string, index = 0): CandidateChunk {
  return { index, parts, ...(finishReason === undefined ? {} : { finishReason }) };
}

function answerOf(...chunks: readonly ModelChunk[]): Answer {
  return chunks.reduce(addChunk, NO_ANSWER);
}
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
    const answer = answerOf({ candidates: [candidate(TEXT)] }, { candidates: [candidate([], 'STOP')] });
    expect(judge(answer, true).state).toBe('COMMITTED');
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

describe('what may stay of an answer that was cut short', () => {
  const said = (finishReason?: string) => answerOf({ candidates: [candidate(TEXT, finishReason)] });

  it.each([[undefined], ['STOP'], ['MAX_TOKENS'], ['FINISH_REASON_UNSPECIFIED']])('is its text after %s', (reason) => {
    expect(textToKeep(said(reason))).toBe('Hello');
  });

  it.each([['SAFETY'], ['RECITATION'], ['NOBODY_KNOWS_YET']])('is nothing after %s', (reason) => {
    expect(textToKeep(said(reason))).toBe('');
  });

  it('is nothing when the prompt is blocked', () => {
    expect(textToKeep({ ...said(), promptBlockReason: 'SAFETY' })).toBe('');
  });
});
