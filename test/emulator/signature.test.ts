// Answers come back in the next request: the emulator takes whatever it said itself, and knows when a signed part was changed.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Content, Part } from '../../src/emulator/gemini/generate-content.ts';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import {
  asTurn,
  chunksIn,
  documentIn,
  errorIn,
  model,
  nextQuestion,
  partsIn,
  post,
  stream,
  user,
  VERTEX,
} from './ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

const call = (name: string): Part => ({ functionCall: { name, args: {} } });
const response = (name: string): Part => ({ functionResponse: { name, response: {} } });
const generate = (body: unknown, name = 'm') => post(emulator.address, `${VERTEX}/${name}:generateContent`, body);
const partsOf = async (text: string, name = 'm') => partsIn(chunksIn(await stream(emulator.address, text, {}, name)));

describe('a signature', () => {
  test.each(['signature', 'thoughts', 'call:f'])(
    'of [[%s]] is refused by another model, and when its part was changed',
    async (name) => {
      const parts = await partsOf(`Why? [[${name}]]`);
      const turn = asTurn(parts);
      const history = (answer: Content) => [user(`Why? [[${name}]]`), answer, nextQuestion(turn, 'And?')];
      expect((await generate({ contents: history(turn) })).status).toBe(200);
      expect(errorIn(await generate({ contents: history(turn) }, 'other')).message).toContain(
        'thought signature is not valid',
      );
      const change = (part: Part): Part =>
        part.functionCall ? { ...part, functionCall: { name: 'g' } } : { ...part, text: `${part.text}!` };
      const changed = {
        ...turn,
        parts: turn.parts?.map((part) => (part.thoughtSignature ? change(part) : part)) ?? [],
      };
      expect(errorIn(await generate({ contents: history(changed) })).message).toContain(
        'thought signature is not valid',
      );
    },
  );

  test('holds when a client only reorders the keys of its part or writes them in snake_case', async () => {
    const [part] = await partsOf('Why? [[call:f]]');
    const { functionCall, thoughtSignature } = part ?? {};
    const reordered = {
      thought_signature: thoughtSignature,
      function_call: { args: functionCall?.args, name: functionCall?.name },
    };
    const contents = [user('Why? [[call:f]]'), { role: 'model', parts: [reordered] }, user(response('f'))];
    expect((await generate({ contents })).status).toBe(200);
  });

  test('may be missing on a call of a turn that is over, and on all parallel calls but the first', async () => {
    const over = [user('a'), model(call('f')), user(response('f')), model('b'), user('c')];
    expect((await generate({ contents: over })).status).toBe(200);
    const turn = asTurn(await partsOf('Why? [[calls:3]]'));
    const swapped = { ...turn, parts: [...(turn.parts ?? [])].reverse() };
    const contents = (answer: Content) => [user('Why? [[calls:3]]'), answer, nextQuestion(turn, 'x')];
    expect((await generate({ contents: contents(turn) })).status).toBe(200);
    expect(errorIn(await generate({ contents: contents(swapped) })).message).toContain(
      'is missing a `thought_signature`',
    );
  });

  test.each([
    ['gemini-1.5-pro', 200],
    ['gemini-2.0-flash', 200],
    ['gemini-2.5-flash', 200],
    ['gemini-3-pro-preview', 400],
    ['m', 400],
  ])('may be missing on a call of the current turn only before Gemini 3: %s answers %i', async (name, status) => {
    const contents = [user('a'), model(call('f')), user(response('f'))];
    expect((await generate({ contents }, name)).status).toBe(status);
  });

  test('is refused by a model that demands none, when that model did not issue it', async () => {
    const contents = [user('a'), model({ ...call('f'), thoughtSignature: 'bm9wZQ==' }), user(response('f'))];
    expect(errorIn(await generate({ contents }, 'gemini-2.5-flash')).message).toContain(
      'thought signature is not valid',
    );
  });

  test('may be the documented bypass on a call that came from elsewhere, and on nothing else', async () => {
    const bypass = { thoughtSignature: 'skip_thought_signature_validator' };
    const called = [user('a'), model({ ...call('f'), ...bypass }), user(response('f'))];
    expect((await generate({ contents: called })).status).toBe(200);
    expect((await generate({ contents: [user('a'), model({ text: 'b', ...bypass }), user('c')] })).status).toBe(400);
  });
});

const ASKED = [
  '',
  '[[thoughts]]',
  '[[signature]]',
  '[[thoughts]] [[signature]]',
  '[[image]]',
  '[[call:f]]',
  '[[calls:3]]',
  '[[thoughts]] [[calls:2]]',
  '[[chunks:3]]',
  '[[big:20000]]',
  '[[finish:MAX_TOKENS]]',
  '[[candidates:2]]',
  '[[citations]]',
];

test('takes back every answer it ever gave, streamed or not, in the next request', async () => {
  const turn = fc.record({
    text: fc.string({ minLength: 1, unit: 'grapheme' }),
    marker: fc.constantFrom(...ASKED),
    isStream: fc.boolean(),
  });
  const conversation = fc.array(turn, { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(conversation, async (turns) => {
      let contents: readonly Content[] = [];
      for (const { text, marker, isStream } of turns) {
        contents = [...contents, nextQuestion(contents.at(-1) ?? {}, `${text.replaceAll('[[', '')} ${marker}`)];
        const method = isStream ? 'streamGenerateContent?alt=sse' : 'generateContent';
        const answer = await post(emulator.address, `${VERTEX}/m:${method}`, { contents });
        expect([answer.status, answer.status === 200 || errorIn(answer).message]).toEqual([200, true]);
        contents = [...contents, asTurn(partsIn(isStream ? chunksIn(answer) : [documentIn(answer)]))];
      }
    }),
    { numRuns: 60 },
  );
});
