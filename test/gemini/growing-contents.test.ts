// What is said again with every request is sent as it was written before: byte for byte what a fresh process would write.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withContents } from '../../src/adapters/gemini/gemini-contents.ts';
import type { Example, SaidContent } from '../../src/chat/language-model.ts';

type Request = Parameters<typeof withContents>[1];

function sent(contents: readonly SaidContent[], given: Partial<Request> = {}): string {
  const request = { model: 'm', examples: NONE, contents, settings: {}, ...given };
  return Buffer.from(withContents('{"contents":', request, '}')).toString();
}

const NONE: readonly Example[] = [];

/** The same, with nothing that anybody has seen before. */
function fresh(contents: readonly SaidContent[], given: Partial<Request> = {}): string {
  return sent(structuredClone(contents) as SaidContent[], given);
}

const part = fc.oneof(
  fc.record({ text: fc.string() }),
  fc.record({ text: fc.string(), thoughtSignature: fc.constant('eA==') }),
  fc.record({ functionCall: fc.record({ name: fc.string() }) }),
);
const content = fc.record({
  author: fc.constantFrom<'user' | 'bot'>('user', 'bot'),
  parts: fc.array(part, { minLength: 1, maxLength: 2 }),
});
const said = content.chain((one) => {
  const model = one.author === 'bot' ? fc.constantFrom(undefined, 'm', 'n') : fc.constant(undefined);
  return model.map((name): SaidContent => ({ ...one, ...(name === undefined ? {} : { model: name }) }));
});

describe('contents that grow', () => {
  it('are written as a fresh process writes them, whatever is said, dropped or asked in between', () => {
    const step = fc.record({
      more: fc.array(said, { maxLength: 3 }),
      keepsLast: fc.boolean(),
      from: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.constantFrom('m', 'n'), (steps, other) => {
        let history: readonly SaidContent[] = [];
        for (const { more, keepsLast, from } of steps) {
          // Own ones: while a failure is made smaller, the same parts come again in other places.
          const contents = [...history, ...structuredClone(more)];
          expect(sent(contents)).toBe(fresh(contents));
          // With a window, or by another model, it is another request.
          const trimmed = contents.slice(from);
          expect(sent(trimmed, { model: other })).toBe(fresh(trimmed, { model: other }));
          history = keepsLast ? contents : contents.slice(0, -1);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('are not written again', () => {
    const question: SaidContent = { author: 'user', parts: [{ text: 'one' }] };
    const answer: SaidContent = { author: 'bot', parts: [{ text: 'two' }] };
    sent([question]);
    // Nobody changes what was said; if somebody did, it would not be seen.
    (question.parts[0] as { text: string }).text = 'changed';
    const next: SaidContent = { author: 'user', parts: [{ text: 'three' }] };
    expect(sent([question, answer, next])).toContain('"one"');
  });

  it('are written again with other examples', () => {
    const contents: SaidContent[] = [{ author: 'user', parts: [{ text: 'one' }] }];
    sent(contents);
    const examples = [{ input: 'a', output: 'b' }];
    expect(sent(contents, { examples })).toBe(fresh(contents, { examples }));
  });
});
