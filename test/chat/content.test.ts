// Parts: what is joined and what never is, what may be read out of them, and which histories can be gone on with.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answeredCalls,
  type Content,
  checkHistory,
  checkUserParts,
  isSendable,
  isUsable,
  joinParts,
  openCalls,
  type Part,
  visibleText,
} from '../../src/chat/content.ts';
import { ChatError } from '../../src/chat/errors.ts';

const text = (said: string): Part => ({ text: said });
const thought = (said: string): Part => ({ text: said, thought: true });
const signed = (said: string, thoughtSignature = 'c2ln'): Part => ({ text: said, thoughtSignature });
const call = (name: string): Part => ({ functionCall: { name, args: {} } });
const response = (name: string): Part => ({ functionResponse: { name, response: {} } });

function joinAll(chunks: readonly (readonly Part[])[]): readonly Part[] {
  return chunks.reduce<readonly Part[]>(joinParts, []);
}

describe('joinParts', () => {
  it.each<[string, readonly Part[], readonly Part[], readonly Part[]]>([
    ['joins plain text at the seam', [text('a')], [text('b')], [text('ab')]],
    ['joins only the seam', [text('a'), text('b')], [text('c'), text('d')], [text('a'), text('bc'), text('d')]],
    ['joins plain thoughts', [thought('a')], [thought('b')], [thought('ab')]],
    ['keeps a thought apart from text', [thought('a')], [text('b')], [thought('a'), text('b')]],
    ['keeps text apart from a thought', [text('a')], [thought('b')], [text('a'), thought('b')]],
    ['never joins two signed parts', [signed('a')], [signed('b')], [signed('a'), signed('b')]],
    ['never joins onto a signed part', [signed('a')], [text('b')], [signed('a'), text('b')]],
    ['never joins a signed part on', [text('a')], [signed('b')], [text('a'), signed('b')]],
    ['keeps an empty text that carries a signature', [text('a')], [signed('')], [text('a'), signed('')]],
    ['keeps what it does not know', [{ text: 'a', news: 1 }], [text('b')], [{ text: 'a', news: 1 }, text('b')]],
    ['keeps calls apart', [call('f')], [call('g')], [call('f'), call('g')]],
    ['takes the first chunk as it is', [], [text('a')], [text('a')]],
    ['takes nothing from an empty chunk', [text('a')], [], [text('a')]],
    ['loses nothing of an empty text', [text('a')], [text('')], [text('a')]],
  ])('%s', (_name, before, chunk, joined) => {
    expect(joinParts(before, chunk)).toEqual(joined);
  });

  it('joins any slicing of a plain text to the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 1 }), (slices) => {
        expect(joinAll(slices.map((slice) => [text(slice)]))).toEqual([text(slices.join(''))]);
      }),
    );
  });

  const aPart = fc.oneof(
    fc.string().map(text),
    fc.string().map(thought),
    fc.string().map((said) => signed(said)),
    fc.record({ text: fc.string(), thought: fc.constant(true), thoughtSignature: fc.base64String() }),
    fc.constantFrom(call('f'), { inlineData: { data: 'AA==' } }, { unheardOf: [1] }),
  );

  it('never touches, drops or moves a part that is more than plain, in any slicing of anything', () => {
    fc.assert(
      fc.property(fc.array(fc.array(aPart)), (chunks) => {
        const joined = joinAll(chunks);
        const isPlain = (part: Part) => Object.keys(part).every((key) => key === 'text' || key === 'thought');
        const whole = chunks.flat();
        expect(joined.filter((part) => !isPlain(part))).toEqual(whole.filter((part) => !isPlain(part)));
        expect(visibleText(joined)).toBe(visibleText(whole));
        const thoughtsOf = (parts: readonly Part[]) =>
          parts.flatMap((part) => (part.thought ? [part.text] : [])).join('');
        expect(thoughtsOf(joined)).toBe(thoughtsOf(whole));
      }),
    );
  });

  it('leaves its arguments as they were', () => {
    const [before, chunk] = [[text('a')], [text('b'), call('f')]];
    joinParts(before, chunk);
    expect([before, chunk]).toEqual([[text('a')], [text('b'), call('f')]]);
  });
});

describe('visibleText', () => {
  it('is all text but thoughts', () => {
    expect(visibleText([text('a'), thought('b'), signed('c'), call('f'), text('')])).toBe('ac');
    expect(visibleText([])).toBe('');
  });

  it('passes over text that is no string', () => {
    expect(visibleText([{ text: 1 }, { text: null }, text('a')])).toBe('a');
  });
});

describe('isUsable', () => {
  it.each<[string, readonly Part[], boolean]>([
    ['text', [text('a')], true],
    ['white space', [text('\n')], true],
    ['a call', [call('f')], true],
    ['nothing', [], false],
    ['empty text', [text('')], false],
    ['a thought', [thought('a')], false],
    ['a signature on empty text', [signed('')], false],
    ['a function response', [response('f')], false],
    ['something unheard of', [{ unheardOf: 1 }], false],
  ])('of %s', (_name, parts, expected) => {
    expect(isUsable(parts)).toBe(expected);
  });
});

describe('isSendable', () => {
  it.each<[string, Part, boolean]>([
    ['text', text('a'), true],
    ['empty text', text(''), false],
    ['empty text that carries a signature', signed(''), true],
    ['nothing', {}, false],
    ['the mark of a thought alone', { thought: true }, false],
    ['a signature alone', { thoughtSignature: 'AA==' }, false],
    ['a call', call('f'), true],
    ['something unheard of', { unheardOf: 1 }, true],
  ])('of %s', (_name, part, expected) => {
    expect(isSendable(part)).toBe(expected);
  });
});

describe('open and answered calls', () => {
  it('are comparable, whatever their order', () => {
    const message: Content = { author: 'bot', parts: [call('b'), text('x'), call('a'), call('a')] };
    expect(openCalls(message)).toBe(answeredCalls([response('a'), response('b'), response('a')]));
    expect(openCalls(message)).not.toBe(answeredCalls([response('a'), response('b')]));
  });

  it('cannot be forged by a name', () => {
    expect(openCalls({ author: 'bot', parts: [call('a","b')] })).not.toBe(
      answeredCalls([response('a'), response('b')]),
    );
  });

  it('are none of a user, of text, or of nothing', () => {
    expect(openCalls({ author: 'user', parts: [call('a')] })).toBe('');
    expect(openCalls({ author: 'bot', parts: [text('a')] })).toBe('');
    expect(openCalls(undefined)).toBe('');
    expect(answeredCalls([text('a')])).toBe('');
  });
});

/** The path of the field that is refused; `undefined` when nothing is. */
function refusedPath(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof ChatError && error.code === 'invalid_argument') return error.details.fields?.[0]?.path;
    throw error;
  }
}

describe('checkUserParts', () => {
  it.each<[string, readonly Part[], string | undefined]>([
    ['text', [text('a')], undefined],
    ['an image', [{ inlineData: {} }], undefined],
    ['responses', [response('f'), response('g')], undefined],
    ['an empty part beside text', [text(''), text('a')], undefined],
    ['nothing', [], '/p'],
    ['empty text', [text('')], '/p'],
    ['a call', [text('a'), call('f')], '/p/1'],
    ['a thought', [thought('a')], '/p/0'],
    ['a response beside text', [response('f'), text('a')], '/p'],
  ])('%s', (_name, parts, path) => {
    expect(refusedPath(() => checkUserParts(parts, '/p'))).toBe(path);
  });
});

describe('checkHistory', () => {
  const user = (...parts: readonly Part[]): Content => ({ author: 'user', parts });
  const bot = (...parts: readonly Part[]): Content => ({ author: 'bot', parts });
  const [ask, say] = [user(text('a')), bot(text('b'))];

  it.each<[string, readonly Content[], string | undefined]>([
    ['nothing', [], undefined],
    ['question and answer', [ask, say], undefined],
    ['a beginning by the bot', [say], undefined],
    ['authors in any order', [ask, ask, say, say, ask, say], undefined],
    ['a call with its response', [ask, bot(call('f')), user(response('f')), say], undefined],
    [
      'parallel calls, answered in another order',
      [ask, bot(call('f'), call('g')), user(response('g'), response('f')), say],
      undefined,
    ],
    ['a call left open at the end', [ask, bot(call('f'))], undefined],
    ['an end by the user', [ask, say, ask], '/h/2'],
    ['an empty answer', [ask, bot(text(''))], '/h/1/parts'],
    ['an empty question', [user(text('')), say], '/h/0/parts'],
    ['a bot that answers a call', [ask, bot(response('f'))], '/h/1/parts'],
    ['a user that calls', [user(call('f')), say], '/h/0/parts/0'],
    ['a call that nobody answers', [ask, bot(call('f')), ask, say], '/h/2'],
    ['a call that the bot passes over', [ask, bot(call('f')), say], '/h/2'],
    ['half of the responses', [ask, bot(call('f'), call('g')), user(response('f')), say], '/h/2'],
    ['a response to nothing', [user(response('f')), say], '/h/0'],
    ['responses beside more from the user', [ask, bot(call('f')), user(response('f')), ask, say], '/h/3'],
  ])('%s', (_name, messages, path) => {
    expect(refusedPath(() => checkHistory(messages, '/h'))).toBe(path);
  });
});
