// Settings that no model could take: refused with 400 before any model is asked, wherever they are said, and every bad
// field is named together with what it may be.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, send } from '../support/client.ts';
import { MODELS, says, startWires, type WireScene } from '../support/wires.ts';

interface Bad {
  /** A JSON pointer to the field at fault. */
  readonly path: string;
  readonly body: object;
  readonly says: RegExp;
}

const bad = (path: string, value: unknown, says: RegExp): Bad => ({
  path,
  body: { [path.split('/')[1] ?? '']: value },
  says,
});
const list = (length: number, item: unknown) => Array.from({ length }, () => item);
const map = (length: number) => Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, 'v']));

/** Wrong as a session's default, as a change of it, and as an override of a send. */
const EVERYWHERE: readonly Bad[] = [
  bad('/maxOutputTokens', 0, />= 1$/),
  bad('/maxOutputTokens', -5, />= 1$/),
  bad('/maxOutputTokens', 1.5, /integer/),
  bad('/maxOutputTokens', '5', /integer/),
  bad('/temperature', -0.1, />= 0$/),
  bad('/temperature', '0.5', /number/),
  bad('/temperature', true, /number/),
  bad('/topK', 0, />= 1$/),
  bad('/topK', [1], /number/),
  bad('/topP', 1.01, /<= 1$/),
  bad('/topP', -0.01, />= 0$/),
  bad('/stopSequences/0', [''], /fewer than 1 character/),
  bad('/stopSequences/1', ['a', 'b'.repeat(1025)], /more than 1024 character/),
  bad('/stopSequences', list(65, 'END'), /more than 64 items/),
  bad('/stopSequences', 'END', /array/),
  bad('/stopSequences/0', [null], /string/),
  bad('/seed', 2 ** 31, /<= 2147483647$/),
  bad('/seed', -(2 ** 31) - 1, />= -2147483648$/),
  bad('/seed', 0.5, /integer/),
  bad('/presencePenalty', 'much', /number/),
  bad('/frequencyPenalty', {}, /number/),
  bad('/responseMimeType', '', /fewer than 1 character/),
  bad('/responseMimeType', 'a'.repeat(257), /more than 256 character/),
  bad('/responseJsonSchema', 'object', /object/),
  bad('/thinkingConfig', 'HIGH', /object/),
  bad('/thinkingConfig/thinkingBudget', { thinkingBudget: 1.5 }, /integer/),
  bad('/thinkingConfig/thinkingLevel', { thinkingLevel: 3 }, /string/),
  bad('/thinkingConfig/budget', { budget: 5 }, /not a known field/),
  bad('/safetySettings/0/threshold', [{ category: 'HARM_CATEGORY_HARASSMENT' }], /required/),
  bad('/safetySettings/0/level', [{ category: 'C', threshold: 'OFF', level: 1 }], /not a known field/),
  bad('/safetySettings', list(65, { category: 'C', threshold: 'OFF' }), /more than 64 items/),
  bad('/tools', { functionDeclarations: [] }, /array/),
  bad('/tools/0', ['search'], /object/),
  bad('/tools', list(129, { googleSearch: {} }), /more than 128 items/),
  bad('/toolConfig', [], /object/),
  bad('/labels/team', { team: 7 }, /string/),
  bad('/labels', map(129), /more than (64|128) (properties|items)/),
  bad('/labels/a', { a: 'v'.repeat(64) }, /more than 63 character/),
  bad('/max_output_tokens', 100, /not a known field/),
  bad('/top_k', 1, /not a known field/),
];

const SESSION_ONLY: readonly Bad[] = [
  bad('/candidateCount', 2, /not a known field/),
  bad('/groundingSource', { type: 'webSearch' }, /not a known field/),
  bad('/message', 'Hi', /not a known field/),
];

const SEARCH = { type: 'vertexAiSearch', dataStoreId: 'd', location: 'eu' };
const SEND_ONLY: readonly Bad[] = [
  bad('/candidateCount', 0, />= 1$/),
  bad('/candidateCount', 33, /<= 32$/),
  bad('/candidateCount', 1.5, /integer/),
  bad('/candidateCount', '2', /integer/),
  bad('/groundingSource', 'webSearch', /^must be object$/),
  bad('/groundingSource', { type: 'magic' }, /types webSearch, vertexAiSearch, inlineContext$/),
  bad('/groundingSource', { dataStoreId: 'd' }, /types webSearch, vertexAiSearch, inlineContext$/),
  bad('/groundingSource/dataStoreId', { type: 'vertexAiSearch', location: 'eu' }, /^is required$/),
  bad('/groundingSource/dataStoreId', { ...SEARCH, dataStoreId: '../x' }, /^must match /),
  bad('/groundingSource/location', { ...SEARCH, location: 'EU' }, /^must match /),
  bad('/groundingSource/disableAttribution', { type: 'webSearch', disableAttribution: 'no' }, /boolean/),
  bad('/groundingSource/inlineContext', { type: 'inlineContext', inlineContext: '' }, /fewer than 1 character/),
  bad('/groundingSource/project', { type: 'webSearch', project: 'p' }, /not a known field/),
  bad('/context', 'Be brief.', /not a known field/),
  bad('/model', 'gemini-2.5-pro', /not a known field/),
  { path: '', body: { parts: [{ text: 'Hi' }] }, says: /either message or parts/ },
  bad('/message', '', /fewer than 1 character/),
  bad('/message', 7, /string/),
];

let scene: WireScene;
let path: string;
beforeAll(async () => {
  scene = await startWires(says([['never']]));
  path = await scene.client.session({ model: MODELS.gemini, temperature: 0.5, labels: { old: '1' } });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** Refused as it should be, with nothing changed and nobody asked. */
async function expectRefused({ status, headers, json }: Answer, { path: field, says: words }: Bad): Promise<void> {
  expect(status).toBe(400);
  expect(headers['content-type']).toContain('application/problem+json');
  expect(json).toMatchObject({ code: 'invalid_argument', retryable: false });
  expect(json.errors).toEqual([{ path: field, message: expect.stringMatching(words) }]);
  expect((await scene.client.get(path)).json).toMatchObject({ version: 1, temperature: 0.5, messageCount: 0 });
  expect(scene.upstream.calls).toEqual([]);
}

const cases = (...lists: readonly (readonly Bad[])[]) =>
  lists.flat().map((one) => ({ ...one, shown: JSON.stringify(one.body).slice(0, 60) }));

describe('a new session', () => {
  test.each(cases(EVERYWHERE, SESSION_ONLY))('is refused for $path in $shown', async (it) => {
    await expectRefused(await scene.client.post('/v1/sessions', { model: MODELS.gemini, ...it.body }), it);
  });
});

describe('a change of a session', () => {
  test.each(cases(EVERYWHERE, SESSION_ONLY))('is refused for $path in $shown', async (it) => {
    const type = { 'content-type': 'application/merge-patch+json' };
    await expectRefused(await scene.client.patch(path, it.body, type), it);
  });
});

describe('a message', () => {
  test.each(cases(EVERYWHERE, SEND_ONLY))('is refused for $path in $shown', async (it) => {
    await expectRefused(await scene.client.post(`${path}/messages`, { message: 'Hi', ...it.body }), it);
  });
});

describe('a streamed message', () => {
  test.each(cases(EVERYWHERE, SEND_ONLY))('is refused for $path in $shown', async (it) => {
    await expectRefused(await scene.client.post(`${path}/messages/stream`, { message: 'Hi', ...it.body }), it);
  });
});

const ROUTES = ['/v1/sessions', 'PATCH', 'messages', 'messages/stream'] as const;

test.each(ROUTES)('every bad field is named at once (%s)', async (route) => {
  const wrong = {
    temperature: -1,
    topP: 2,
    seed: 2 ** 40,
    stopSequences: [''],
    thinkingConfig: { level: 1 },
    top_k: 1,
  };
  const isSession = route === '/v1/sessions' || route === 'PATCH';
  const body = isSession ? wrong : { message: 'Hi', ...wrong };
  const url = route === '/v1/sessions' ? route : route === 'PATCH' ? path : `${path}/${route}`;
  const method = route === 'PATCH' ? 'PATCH' : 'POST';
  const { status, json } = await send(`${scene.client.url}${url}`, method, { body });
  expect(status).toBe(400);
  const paths = json.errors.map((error: { path: string }) => error.path);
  expect(paths.sort()).toEqual(
    ['/seed', '/stopSequences/0', '/temperature', '/thinkingConfig/level', '/topP', '/top_k'].sort(),
  );
});

test.each(ROUTES)('a number that is too large for JSON is refused (%s)', async (route) => {
  const method = route === 'PATCH' ? 'PATCH' : 'POST';
  const url = route === '/v1/sessions' ? route : route === 'PATCH' ? path : `${path}/${route}`;
  const body = route.startsWith('messages') ? '{"message":"Hi","temperature":1e400}' : '{"temperature":1e400}';
  expect((await send(`${scene.client.url}${url}`, method, { body })).json).toMatchObject({ status: 400 });
});

test.each(['messages', 'messages/stream'])(
  'neither message nor parts is refused, as are empty parts (%s)',
  async (route) => {
    for (const [body, field] of [
      [{}, ''],
      [{ temperature: 1 }, ''],
      [{ parts: [] }, '/parts'],
      [{ parts: [{}] }, '/parts/0'],
      [{ parts: [{ text: '' }] }, '/parts'],
    ] as const) {
      const { json } = await scene.client.post(`${path}/${route}`, body);
      expect(json).toMatchObject({ status: 400, code: 'invalid_argument' });
      expect(json.errors.map((error: { path: string }) => error.path)).toContain(field);
    }
  },
);
