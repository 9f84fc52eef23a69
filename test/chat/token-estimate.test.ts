// What a request is believed to cost before it is sent: by its size, corrected by what the model has reported.

import { describe, expect, it } from 'vitest';
import { type Answer, NO_ANSWER } from '../../src/chat/answer.ts';
import type { KeptMessage, Measured, Part } from '../../src/chat/content.ts';
import type { ModelRequest } from '../../src/chat/language-model.ts';
import { estimateTokens, measureOf } from '../../src/chat/token-estimate.ts';

function message(author: 'user' | 'bot', parts: readonly Part[], measured?: Measured): KeptMessage {
  return { id: '', author, content: '', parts, createTime: '', ...(measured ? { measured } : {}) };
}

const user = (text: string) => message('user', [{ text }]);
const bot = (text: string, measured?: Measured) => message('bot', [{ text }], measured);

/** A text of so many plain tokens. */
const tokens = (count: number) => 'abcd'.repeat(count);

function asking(text: string, given: Partial<ModelRequest> = {}): ModelRequest {
  return { model: 'm', examples: [], contents: [{ author: 'user', parts: [{ text }] }], settings: {}, ...given };
}

const estimate = (history: readonly KeptMessage[], request = asking('')) => estimateTokens(history, request)(0);

describe('the plain estimate', () => {
  it.each<[string, readonly Part[], number]>([
    ['nothing', [], 0],
    ['four bytes', [{ text: 'abcd' }], 1],
    ['five bytes', [{ text: 'abcde' }], 2],
    ['parts together, rounded up once', [{ text: 'ab' }, { text: 'cd' }], 1],
    ['letters of two bytes', [{ text: 'äöüß' }], 2],
    ['an emoji', [{ text: '😀' }], 1],
    ['half a pair of surrogates', [{ text: '\ud83d' }], 1],
    ['a picture, whatever its size', [{ inlineData: { mimeType: 'image/png', data: 'A'.repeat(1_000_000) } }], 258],
    ['a file', [{ fileData: { mimeType: 'application/pdf', fileUri: 'gs://b/x' } }], 258],
    ['text beside a picture', [{ inlineData: { data: 'AA==' } }, { text: 'abcd' }], 259],
    ['no signature', [{ text: 'abcd', thoughtSignature: 'x'.repeat(10_000) }], 1],
    ['a thought', [{ text: 'abcdefgh', thought: true }], 2],
    ['a call, about as its JSON is long', [{ functionCall: { name: 'weather', args: { city: 'Rome' } } }], 14],
    ['numbers, words and lists', [{ functionCall: { name: 'f', args: { a: [1.5, true, null, 'x'] } } }], 15],
  ])('counts %s', (_what, parts, expected) => {
    expect(estimate([message('user', parts)])).toBe(expected);
  });

  it('counts a picture that a function has answered with as a picture', () => {
    const inlineData = { mimeType: 'image/png', data: 'A'.repeat(1_000_000) };
    const response = { functionResponse: { name: 'f', response: {}, parts: [{ inlineData }] } };
    const counted = estimate([message('user', [response])]);
    expect(counted).toBeGreaterThan(258);
    expect(counted).toBeLessThan(300);
  });

  it('counts what is nested deeper than a recursion goes', () => {
    let args: object = {};
    for (let depth = 0; depth < 100_000; depth += 1) args = { a: args };
    expect(estimate([message('bot', [{ functionCall: { name: 'f', args } }])])).toBeGreaterThan(100_000);
  });

  it('counts the question, and what stands beside the messages', () => {
    const request = asking(tokens(1), {
      context: tokens(2),
      examples: [{ input: tokens(4), output: tokens(8) }],
      groundingSource: { type: 'inlineContext', inlineContext: tokens(16) },
    });
    expect(estimate([user(tokens(32))], request)).toBe(63);
    const settings = { tools: [{ functionDeclarations: [{ name: 'f'.repeat(400) }] }] };
    expect(estimate([], asking('', { settings }))).toBeGreaterThan(100);
  });

  it('counts from the message on that is asked for', () => {
    const from = estimateTokens([user(tokens(1)), bot(tokens(10)), user(tokens(100))], asking(tokens(1000)));
    expect([0, 1, 2, 3].map(from)).toEqual([1111, 1110, 1100, 1000]);
  });
});

describe('what the model has reported', () => {
  const figures: Measured = { promptTokens: 30, outputTokens: 10, omittedMessages: 0, weightBeside: 0 };

  it('is what the last turn cost, with an estimate of what is new', () => {
    // 40 tokens reported for 20 by size: what is new counts double, too.
    const history = [user(tokens(15)), bot(tokens(5), figures)];
    expect(estimate(history)).toBe(40);
    expect(estimate(history, asking(tokens(7)))).toBe(54);
  });

  it('is rounded up once', () => {
    const odd: Measured = { promptTokens: 3, outputTokens: 7, omittedMessages: 0, weightBeside: 0 };
    const history = [user('abcdefg'), bot('hijklmnopqrstu', odd)];
    expect(estimate(history)).toBe(10);
    expect(estimate(history, asking('v'))).toBe(11);
  });

  it('counts of the newest answer that has figures', () => {
    const older = [user(tokens(15)), bot(tokens(5), { ...figures, promptTokens: 10 })];
    const newer = [user(tokens(9)), bot(tokens(1), { ...figures, promptTokens: 50 })];
    expect(estimate([...older, ...newer])).toBe(60);
    expect(estimate([...older, ...newer, user(tokens(2)), bot(tokens(3))])).toBe(70);
  });

  it('is compared with what was sent then, not with what was left out', () => {
    const trimmed = { ...figures, omittedMessages: 2 };
    const history = [user(tokens(500)), bot(tokens(500)), user(tokens(15)), bot(tokens(5), trimmed)];
    expect(estimateTokens(history, asking(tokens(7)))(2)).toBe(54);
    expect(estimateTokens(history, asking(tokens(7)))(0)).toBe(2054);
  });

  it('is compared with what stood beside the messages then, whatever does now', () => {
    const history = [user(tokens(3)), bot(tokens(5), { ...figures, weightBeside: 4 * 12 })];
    expect(estimate(history)).toBe(16);
    expect(estimate(history, asking('', { context: tokens(12) }))).toBe(40);
    expect(estimate(history, asking('', { context: tokens(2) }))).toBe(20);
  });

  it('is the prompt alone where the answer was counted with others', () => {
    const { outputTokens: _several, ...prompt } = figures;
    const history = [user(tokens(15)), bot(tokens(5), prompt)];
    expect(estimate(history)).toBe(40);
    expect(estimate(history, asking(tokens(1)))).toBe(42);
  });

  it.each([
    ['four times as many', 1_000_000, 80],
    ['a quarter', 1, 5],
  ])('is believed up to %s', (_factor, promptTokens, expected) => {
    const history = [user(tokens(15)), bot(tokens(5), { ...figures, promptTokens, outputTokens: 1 })];
    expect(estimate(history)).toBe(expected);
  });

  it('of a request without any size does no harm', () => {
    const history = [user(''), bot('', figures)];
    expect(estimate(history, asking(tokens(5)))).toBe(20);
  });
});

describe('what is kept of a report', () => {
  const answer: Answer = {
    candidates: [{ index: 0, parts: [{ text: 'x' }] }],
    usage: { promptTokens: 12, outputTokens: 3, thoughtTokens: 100, totalTokens: 115 },
  };
  const request = asking('x', { context: 'abcdefgh' });

  it('is what the request and the answer cost, without the thoughts', () => {
    expect(measureOf(request, 4, answer)).toEqual({
      ...{ promptTokens: 12, outputTokens: 3, omittedMessages: 4, weightBeside: 8 },
    });
  });

  it('of several candidates is the request alone', () => {
    const candidates = [0, 1].map((index) => ({ index, parts: [] }));
    expect(measureOf(request, 0, { ...answer, candidates })).toEqual({
      ...{ promptTokens: 12, omittedMessages: 0, weightBeside: 8 },
    });
  });

  it.each<[string, Answer]>([
    ['when there was none', NO_ANSWER],
    ['without the prompt', { ...answer, usage: { outputTokens: 3 } }],
    ['of several requests', { ...answer, isContinued: true }],
  ])('is nothing %s', (_when, given) => {
    expect(measureOf(request, 0, given)).toBeUndefined();
  });
});
