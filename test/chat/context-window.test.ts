// What of a history is sent: whole exchanges, the newest, as many as fit; or nothing, and why.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answeredCalls, checkHistory, type KeptMessage, openCalls, type Part } from '../../src/chat/content.ts';
import { fitHistory, settledWindow } from '../../src/chat/context-window.ts';
import { ChatError } from '../../src/chat/errors.ts';
import { fitRequest } from '../../src/chat/fitted-request.ts';
import type { ModelRequest } from '../../src/chat/language-model.ts';
import type { ContextWindow, GivenWindow } from '../../src/chat/session.ts';
import { estimateTokens } from '../../src/chat/token-estimate.ts';

const call = (...names: string[]): Part[] => names.map((name) => ({ functionCall: { name, args: {} } }));
const response = (...names: string[]): Part[] => names.map((name) => ({ functionResponse: { name, response: {} } }));

function user(...parts: readonly (Part | string)[]): KeptMessage {
  return { id: '', author: 'user', content: '', parts: parts.map(partOf), createTime: '' };
}

function bot(...parts: readonly (Part | string)[]): KeptMessage {
  return { ...user(...parts), author: 'bot' };
}

function partOf(part: Part | string): Part {
  return typeof part === 'string' ? { text: part } : part;
}

function asking(...parts: readonly (Part | string)[]): ModelRequest {
  const contents = parts.length === 0 ? [] : [{ author: 'user' as const, parts: parts.map(partOf) }];
  return { model: 'm', examples: [], contents, settings: {} };
}

const trimming = (given: Partial<ContextWindow>): ContextWindow => ({ ...given, onOverflow: 'trimOldest' });

const TALK = [user('1'), bot('2'), user('3'), bot('4'), user('5'), bot('6')];
const CALLS = [
  ...[user('1'), bot('2')],
  ...[
    user('3'),
    bot(...call('f', 'g')),
    user(...response('f', 'g')),
    bot(...call('h')),
    user(...response('h')),
    bot('8'),
  ],
  ...[user('9'), bot('10')],
];

describe('maxMessages', () => {
  it.each<[number, number | 'overflow']>([
    [100, 0],
    [7, 0],
    [6, 2],
    [5, 2],
    [4, 4],
    [3, 4],
    [2, 6],
    [1, 6],
  ])('%d of a talk of six and a question are sent from %s on', (maxMessages, from) => {
    expect(fitHistory(trimming({ maxMessages }), TALK, asking('?'))).toEqual({ from });
    expect(fitHistory(trimming({ maxMessages }), TALK, asking())).toEqual({ from });
  });

  it('is never met by a cut between a call and its response, or between two of them', () => {
    const from = [11, 10, 9, 8, 4, 3, 2, 1].map((maxMessages) => {
      return fitHistory(trimming({ maxMessages }), CALLS, asking('?'));
    });
    expect(from).toEqual([0, 2, 2, 8, 8, 8, 10, 10].map((position) => ({ from: position })));
  });

  it('is exceeded by a question that answers calls, when these are the beginning of all that fits', () => {
    const open = [...TALK, user('7'), bot(...call('f'))];
    const answering = asking(...response('f'));
    expect(fitHistory(trimming({ maxMessages: 4 }), open, answering)).toEqual({ from: 6 });
    expect(fitHistory(trimming({ maxMessages: 3 }), open, answering)).toEqual({ from: 6 });
    const overflow = { limit: 'maxMessages', allowed: 2, needed: 3 };
    expect(fitHistory(trimming({ maxMessages: 2 }), open, answering)).toEqual({ overflow });
    // Nothing has been asked yet, but what will be has to answer the calls.
    expect(fitHistory(trimming({ maxMessages: 2 }), open, asking())).toEqual({ overflow });
  });

  it.each<[string, readonly KeptMessage[], number]>([
    ['neighbours of one user', [user('1'), user('2'), bot('3'), user('4'), bot('5')], 3],
    ['neighbours of the bot', [user('1'), bot('2'), bot('3'), user('4'), bot('5')], 3],
    ['a bot who begins', [bot('1'), user('2'), bot('3')], 1],
  ])('does not part %s', (_whom, history, from) => {
    const cuts = history.map((_, index) => fitHistory(trimming({ maxMessages: index + 1 }), history, asking('?')));
    expect(new Set(cuts.map((fit) => 'from' in fit && fit.from))).toEqual(new Set([history.length, from]));
  });
});

describe('maxTokens', () => {
  const history = [user('abcd'), bot('efgh'), user('ijkl'), bot('mnop')];

  it.each<[number, object]>([
    [5, { from: 0 }],
    [4, { from: 2 }],
    [3, { from: 2 }],
    [2, { from: 4 }],
    [1, { from: 4 }],
  ])('of %d is kept', (maxTokens, fit) => {
    expect(fitHistory(trimming({ maxTokens }), history, asking('qrst'))).toEqual(fit);
  });

  it('is exceeded by what stands beside the messages', () => {
    const request = { ...asking('qrst'), context: 'abcd'.repeat(100) };
    const overflow = { limit: 'maxTokens', allowed: 100, needed: 101 };
    expect(fitHistory(trimming({ maxTokens: 100 }), history, request)).toEqual({ overflow });
    expect(fitHistory(trimming({ maxTokens: 101 }), history, request)).toEqual({ from: 4 });
  });

  it('holds beside maxMessages', () => {
    expect(fitHistory(trimming({ maxTokens: 4, maxMessages: 1 }), history, asking('qrst'))).toEqual({ from: 4 });
    expect(fitHistory(trimming({ maxTokens: 1, maxMessages: 4 }), history, asking('qrst'))).toEqual({ from: 4 });
  });
});

describe('what is refused', () => {
  it('is everything that does not fit whole, unless it may be trimmed', () => {
    const reject = (window: Partial<ContextWindow>) => {
      return fitHistory({ ...window, onOverflow: 'reject' }, TALK, asking('?'));
    };
    expect(reject({ maxMessages: 7 })).toEqual({ from: 0 });
    expect(reject({ maxMessages: 6 })).toEqual({ overflow: { limit: 'maxMessages', allowed: 6, needed: 7 } });
    expect(reject({ maxTokens: 1 })).toEqual({ overflow: { limit: 'maxTokens', allowed: 1, needed: 2 } });
  });

  it('is told with the limit, the figure and what to do', () => {
    const history = [...TALK, user('7'), bot(...call('f'))];
    const rejected = fitRequest({ maxMessages: 6, onOverflow: 'reject' }, TALK, asking('?'));
    expect(rejected.refusal).toMatchObject({ code: 'history_full', retryable: false });
    expect(rejected.refusal?.message).toBe(
      'The next request would hold 7 messages; contextWindow.maxMessages is 6. ' +
        'Rewind the session, raise the limit, or set contextWindow.onOverflow to trimOldest.',
    );
    const trimmed = fitRequest(trimming({ maxMessages: 2 }), history, asking(...response('f')));
    expect(trimmed.refusal?.message).toBe(
      'The next request would hold 3 messages, with as much of the history left out as can be; ' +
        'contextWindow.maxMessages is 2. Rewind the session, raise the limit, or send less.',
    );
    const costly = fitRequest({ maxTokens: 1, onOverflow: 'reject' }, TALK, asking('?'));
    expect(costly.refusal?.message).toMatch(/^The next request would hold 2 tokens, as estimated; contextWindow.maxTo/);
  });

  it('is not sent, and is counted whole', () => {
    const refused = fitRequest({ maxMessages: 6, onOverflow: 'reject' }, TALK, asking('?'));
    expect(refused.sent).toEqual({ messages: 0, omittedMessages: 0 });
    expect(refused.request.contents).toHaveLength(7);
  });
});

describe('a fitted request', () => {
  it('holds the rest of the history and the question, and everything else as it was', () => {
    const request = { ...asking('?'), context: 'c', examples: [{ input: 'in', output: 'out' }] };
    const fitted = fitRequest(trimming({ maxMessages: 3 }), TALK, request);
    expect(fitted).toEqual({
      request: { ...request, contents: [...TALK.slice(4), ...request.contents] },
      sent: { messages: 3, omittedMessages: 4 },
    });
  });

  it('holds everything without a window', () => {
    const { request, sent } = fitRequest(undefined, TALK, asking('?'));
    expect([request.contents.length, sent]).toEqual([7, { messages: 7, omittedMessages: 0 }]);
  });
});

describe('a window', () => {
  it.each<[GivenWindow, ContextWindow]>([
    [{ maxMessages: 2 }, { maxMessages: 2, onOverflow: 'reject' }],
    [
      { onOverflow: 'trimOldest', maxTokens: 7, maxMessages: null },
      { maxTokens: 7, onOverflow: 'trimOldest' },
    ],
    [
      { maxTokens: 7, onOverflow: null },
      { maxTokens: 7, onOverflow: 'reject' },
    ],
  ])('given as %j is %j', (given, window) => {
    expect(settledWindow(given)).toEqual(window);
  });

  it.each<GivenWindow>([{}, { onOverflow: 'trimOldest' }, { maxMessages: null, maxTokens: null }])(
    'that limits nothing is refused: %j',
    (given) => {
      expect(() => settledWindow(given)).toThrow(ChatError);
    },
  );
});

const aText = fc.string({ minLength: 1, maxLength: 40 }).map((text): Part[] => [{ text }]);
const someNames = fc.array(fc.constantFrom('f', 'g', 'h'), { minLength: 1, maxLength: 3 });

/** Questions of a user, calls and their responses, an answer; neighbours of one author now and then. */
const anExchange = fc
  .record({
    questions: fc.array(aText, { minLength: 1, maxLength: 2 }),
    calls: fc.array(someNames, { maxLength: 2 }),
    answers: fc.array(aText, { minLength: 1, maxLength: 2 }),
    promptTokens: fc.option(fc.nat(1000)),
  })
  .map(({ questions, calls, answers, promptTokens }): KeptMessage[] => [
    ...questions.map((parts) => user(...parts)),
    ...calls.flatMap((names) => [bot(...call(...names)), user(...response(...names))]),
    ...answers.map((parts) => bot(...parts)),
    ...(promptTokens === null ? [] : [measuredBot(promptTokens)]),
  ]);

function measuredBot(promptTokens: number): KeptMessage {
  return { ...bot('measured'), measured: { promptTokens, outputTokens: 2, omittedMessages: 0, weightBeside: 0 } };
}

/** A history that a session can have, and a question that can follow it. */
const aScene = fc
  .record({
    greeting: fc.option(aText),
    exchanges: fc.array(anExchange, { maxLength: 8 }),
    open: fc.option(someNames),
    question: aText,
  })
  .map(({ greeting, exchanges, open, question }) => ({
    history: [
      ...(greeting ? [bot(...greeting)] : []),
      ...exchanges.flat(),
      ...(open ? [user('call them'), bot(...call(...open))] : []),
    ],
    request: open ? asking(...response(...open)) : asking(...question),
  }));

const aWindow = fc.oneof(
  fc.record({ maxMessages: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ maxTokens: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ maxMessages: fc.integer({ min: 1, max: 40 }), maxTokens: fc.integer({ min: 1, max: 300 }) }),
);

type Scene = { readonly history: readonly KeptMessage[]; readonly request: ModelRequest };

/** Said another way than the source says it: what is left out ends an exchange, and what is left is a history of its own. */
function canBegin({ history, request }: Scene, from: number): boolean {
  if (from === 0) return true;
  const [left, rest] = [history.slice(0, from), history.slice(from)];
  const isHistory = (messages: readonly KeptMessage[]) => {
    try {
      checkHistory(messages, '');
      return openCalls(messages.at(-1)) === '' || messages === rest;
    } catch {
      return false;
    }
  };
  const [first] = [...rest, ...request.contents];
  const beginsAnew = first?.author === 'user' && answeredCalls(first.parts) === '';
  return isHistory(left) && isHistory(rest) && beginsAnew;
}

function fits(window: Partial<ContextWindow>, { history, request }: Scene, from: number): boolean {
  const { maxMessages = Number.POSITIVE_INFINITY, maxTokens = Number.POSITIVE_INFINITY } = window;
  return history.length - from + 1 <= maxMessages && estimateTokens(history, request)(from) <= maxTokens;
}

describe('whatever the history and the window', () => {
  it('the histories of these tests are such that a session can have them', () => {
    fc.assert(
      fc.property(aScene, ({ history, request }) => {
        checkHistory(history, '');
        expect(answeredCalls(request.contents[0]?.parts ?? [])).toBe(openCalls(history.at(-1)));
      }),
    );
  });

  it('the smallest cut between two exchanges that fits is made, and none when the whole fits', () => {
    fc.assert(
      fc.property(aScene, aWindow, (scene, window) => {
        const positions = Array.from({ length: scene.history.length + 1 }, (_, position) => position);
        const expected = positions.find((from) => canBegin(scene, from) && fits(window, scene, from));
        const fit = fitHistory(trimming(window), scene.history, scene.request);
        expect('from' in fit ? fit.from : undefined).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('what is sent is a valid request: a user begins, no call is without its response, the question answers what is open', () => {
    fc.assert(
      fc.property(aScene, aWindow, ({ history, request }, window) => {
        const fitted = fitRequest(trimming(window), history, request);
        fc.pre(fitted.refusal === undefined);
        const { contents } = fitted.request;
        const sent = contents.slice(0, -1);
        checkHistory(sent, '');
        expect(answeredCalls(contents.at(-1)?.parts ?? [])).toBe(openCalls(sent.at(-1)));
        if (fitted.sent.omittedMessages > 0) expect(contents[0]?.author).toBe('user');
        expect(fitted.sent.messages + fitted.sent.omittedMessages).toBe(history.length + 1);
        expect(contents).toEqual([...history, ...request.contents].slice(fitted.sent.omittedMessages));
      }),
      { numRuns: 1000 },
    );
  });

  it('a rejecting window sends all or nothing', () => {
    fc.assert(
      fc.property(aScene, aWindow, (scene, window) => {
        const fit = fitHistory({ ...window, onOverflow: 'reject' }, scene.history, scene.request);
        if (fits(window, scene, 0)) expect(fit).toEqual({ from: 0 });
        else expect(fit).toHaveProperty('overflow');
      }),
    );
  });

  it('the estimate falls with what is left out, and a larger window leaves out no more', () => {
    fc.assert(
      fc.property(aScene, fc.integer({ min: 1, max: 300 }), fc.nat(100), ({ history, request }, maxTokens, more) => {
        const from = estimateTokens(history, request);
        for (let position = 1; position <= history.length; position += 1) {
          expect(from(position)).toBeLessThanOrEqual(from(position - 1));
        }
        const small = fitHistory(trimming({ maxTokens }), history, request);
        const large = fitHistory(trimming({ maxTokens: maxTokens + more }), history, request);
        if ('from' in small) expect('from' in large && large.from).toBeLessThanOrEqual(small.from);
      }),
    );
  });

  it('the estimate grows with every message, and with every word of the question', () => {
    fc.assert(
      fc.property(aScene, aText, ({ history, request }, parts) => {
        const before = estimateTokens(history, request)(0);
        expect(estimateTokens([...history, user(...parts)], request)(0)).toBeGreaterThanOrEqual(before);
        const longer = { ...request, contents: [...request.contents, { author: 'user' as const, parts }] };
        expect(estimateTokens(history, longer)(0)).toBeGreaterThanOrEqual(before);
      }),
    );
  });
});
