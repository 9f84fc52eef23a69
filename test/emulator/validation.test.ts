import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Part } from '../../src/emulator/gemini/generate-content.ts';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { DEVELOPER, errorIn, model, post, user, VERTEX } from './ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

const call = (name: string): Part => ({ functionCall: { name, args: {} } });
const response = (name: string): Part => ({ functionResponse: { name, response: {} } });
const generate = (body: unknown, name = 'm') => post(emulator.address, `${VERTEX}/${name}:generateContent`, body);

const EMPTY_TEXT = 'it has an empty text parameter';
const COUNT = 'Please ensure that the number of function response parts is equal to the number of function call parts';
const UNKNOWN = 'Invalid JSON payload received. Unknown name';

const HISTORIES: Readonly<Record<string, [history: unknown, message: string]>> = {
  'no contents': [undefined, 'contents is not specified'],
  'empty contents': [[], 'contents is not specified'],
  'contents that are no list': [{}, "Invalid value at 'contents' (list)"],
  'an unknown role': [[{ role: 'bot', parts: [{ text: 'Hi' }] }], 'Please use a valid role: user, model.'],
  'no role': [[{ parts: [{ text: 'Hi' }] }], 'Please use a valid role: user, model.'],
  'two user turns in a row': [
    [user('a'), user('b')],
    'Please ensure that multiturn requests alternate between user and model',
  ],
  'two model turns in a row': [[user('a'), model('b'), model('c'), user('d')], 'alternate between user and model'],
  'a user turn after a function turn': [
    [user('a'), model(call('f')), { role: 'function', parts: [response('f')] }, user('b')],
    'alternate between user and model',
  ],
  'a content without parts': [[{ role: 'user' }], 'it must include at least one parts field'],
  'a content with an empty list of parts': [
    [user('a'), model(), user('b')],
    'it must include at least one parts field',
  ],
  'an empty part': [[user({})], "required oneof field 'data' must have one initialized field"],
  'a part that is nothing but a thought flag': [
    [user('a'), model({ thought: true }), user('b')],
    "required oneof field 'data'",
  ],
  'a part with two kinds of data': [
    [user({ text: 'a', fileData: { fileUri: 'gs://b' } })],
    "oneof field 'data' is already set",
  ],
  'an empty text': [[user('')], EMPTY_TEXT],
  'an empty text in an earlier model turn': [[user('a'), model(''), user('b')], EMPTY_TEXT],
  'a text that is no string': [
    [{ role: 'user', parts: [{ text: 5 }] }],
    "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5",
  ],
  'a model turn at the end': [[user('a'), model('b')], 'Requests ending with a model turn are not supported.'],
  'fewer responses than calls': [[user('a'), model(call('f'), call('g')), user(response('f'))], COUNT],
  'more responses than calls': [[user('a'), model(call('f')), user(response('f'), response('f'))], COUNT],
  'a response nobody called for': [[user('a'), model('b'), user(response('f'))], COUNT],
  'a call that was never answered': [[user('a'), model(call('f')), user('b'), model('c'), user('d')], COUNT],
  'a response mixed with text': [
    [user('a'), model(call('f')), user(response('f'), 'text')],
    'nothing but function response parts',
  ],
  'a call in a user turn': [[user(call('f'))], 'function call turns have the role model'],
  'a thought in a user turn': [
    [user({ text: 'hm', thought: true })],
    'thought parts are only in turns of the role model',
  ],
  'a response in a model turn': [[user('a'), model(response('f')), user('b')], 'role user or function'],
  'a field of a content the API does not know': [
    [{ ...user('a'), author: 'me' }],
    `${UNKNOWN} "author" at 'contents[0]'`,
  ],
  'a field of a part the API does not know': [
    [user({ text: 'a', id: 7 })],
    `${UNKNOWN} "id" at 'contents[0].parts[0]'`,
  ],
  'a signature nobody issued': [
    [user('a'), model({ text: 'b', thoughtSignature: 'bm9wZQ==' }), user('c')],
    'thought signature is not valid',
  ],
  'a call of the current turn without its signature': [
    [user('a'), model(call('f')), user(response('f'))],
    'function call `f` in the `2.` content block is missing a `thought_signature`',
  ],
};

const SETTINGS: Readonly<Record<string, [body: object, message: string]>> = {
  'an unknown field': [{ history: [] }, `${UNKNOWN} "history": Cannot find field.`],
  'an unknown setting': [
    { generationConfig: { maxTokens: 5 } },
    `${UNKNOWN} "maxTokens" at 'generation_config': Cannot find field.`,
  ],
  'a temperature above 2': [
    { generationConfig: { temperature: 2.1 } },
    'a temperature value of 2.1 but the supported range is from 0',
  ],
  'a temperature below 0': [{ generationConfig: { temperature: -0.1 } }, 'a temperature value of -0.1'],
  'a temperature in words': [
    { generationConfig: { temperature: 'hot' } },
    `'generation_config.temperature' (TYPE_FLOAT), "hot"`,
  ],
  'a topP above 1': [{ generation_config: { top_p: 1.5 } }, 'a topP value of 1.5'],
  'no candidates': [{ generationConfig: { candidateCount: 0 } }, 'a candidateCount value of 0'],
  'nine candidates': [{ generationConfig: { candidateCount: 9 } }, 'a candidateCount value of 9'],
  'no tokens': [{ generationConfig: { maxOutputTokens: 0 } }, 'a maxOutputTokens value of 0'],
  'a system instruction without parts': [{ systemInstruction: { parts: [] } }, 'at least one parts field'],
  'a system instruction without text': [{ systemInstruction: { parts: [{ text: '' }] } }, EMPTY_TEXT],
  'a system instruction of something else': [
    { systemInstruction: { parts: [{ fileData: { fileUri: 'gs://a' } }] } },
    'must contain non-empty text',
  ],
  'a system instruction that is a string': [
    { systemInstruction: 'Be brief.' },
    "Invalid value at 'system_instruction' (message)",
  ],
  'a tool the API does not know': [{ tools: [{ crystalBall: {} }] }, `${UNKNOWN} "crystalBall" at 'tools[0]'`],
  'a continuation token nobody issued': [{ continuationToken: 'dG9r' }, 'continuation token is not valid'],
};

describe('a request is refused', () => {
  test.each(Object.entries(HISTORIES))('with %s', async (_, [contents, message]) => {
    const answer = await generate({ contents });
    expect(errorIn(answer)).toMatchObject({
      code: 400,
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
    expect(answer.status).toBe(400);
  });

  test.each(Object.entries(SETTINGS))('with %s', async (_, [settings, message]) => {
    const answer = await generate({ contents: [user('Hi')], ...settings });
    expect(errorIn(answer)).toMatchObject({
      code: 400,
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  test('on the Developer API with labels or retrieval, which only Vertex knows', async () => {
    for (const only of [
      { labels: { team: 'a' } },
      { tools: [{ retrieval: {} }] },
      { generationConfig: { routingConfig: {} } },
    ]) {
      const body = { contents: [user('Hi')], ...only };
      expect((await generate(body)).status).toBe(200);
      const answer = await post(emulator.address, `${DEVELOPER}/m:generateContent`, body);
      expect([answer.status, errorIn(answer).message]).toEqual([400, expect.stringContaining(UNKNOWN)]);
    }
  });
});
