// Ranges that depend on the model are the model's own affair: such settings pass through, and what it says to them comes
// back in its words as 422 `unsupported_by_model`.

import { describe, expect, test } from 'vitest';
import { asJson, type Script } from '../support/upstream.ts';
import { isStreamed, MODELS, ROUTES, says, startWires, tensorOf, turnOf, WIRES_AND_ROUTES } from '../support/wires.ts';

/** Refuses as Vertex AI does, in words of its own. */
const WORDS = 'Unable to submit request because it has a value but the supported range is from 0 to 2.';
const refuses: Script = (response) => {
  return asJson(response, 400, { error: { code: 400, status: 'INVALID_ARGUMENT', message: WORDS } });
};

const ON_BOTH = [
  { name: 'temperature', value: 5, predict: 'temperature' },
  { name: 'topK', value: 1000, predict: 'topK' },
  { name: 'maxOutputTokens', value: 100_000_000, predict: 'maxDecodeSteps' },
  { name: 'candidateCount', value: 8, predict: 'candidateCount' },
  { name: 'candidateCount', value: 32, predict: 'candidateCount' },
  { name: 'presencePenalty', value: 99.5, predict: 'presencePenalty' },
  { name: 'frequencyPenalty', value: -99.5, predict: 'frequencyPenalty' },
  { name: 'seed', value: 2 ** 31 - 1, predict: 'seed' },
  { name: 'seed', value: -(2 ** 31), predict: 'seed' },
  { name: 'stopSequences', value: Array.from({ length: 64 }, (_, index) => `END ${index}`), predict: 'stopSequences' },
] as const;

const FLOATS: readonly string[] = ['temperature', 'presencePenalty', 'frequencyPenalty'];

describe.each(WIRES_AND_ROUTES)('on the %s wire (%s)', (wire, route) => {
  test.each(ON_BOTH)('$name $value reaches the model, and its refusal comes back in its own words', async (setting) => {
    await using scene = await startWires(refuses);
    const { client } = scene;
    const path = await client.session({ model: MODELS[wire] });
    const { status, headers, json } = await client.post(`${path}/${route}`, {
      message: 'Hi',
      [setting.name]: setting.value,
    });
    expect({ status, code: json.code, detail: json.detail, retryable: json.retryable }).toEqual({
      status: 422,
      code: 'unsupported_by_model',
      detail: WORDS,
      retryable: false,
    });
    expect(headers['content-type']).toContain('application/problem+json');
    expect((await client.get(`${path}/turns/${json.turnId}`)).json).toMatchObject({
      state: 'FAILED',
      problem: { code: 'unsupported_by_model', detail: WORDS },
    });
    expect(await client.history(path)).toEqual([]);
    expect(scene.upstream.calls).toHaveLength(1);
    const { generationConfig, parameters } = scene.asked;
    if (wire === 'gemini') expect(generationConfig).toEqual({ [setting.name]: setting.value });
    else if (route === 'messages') expect(parameters).toEqual({ [setting.predict]: setting.value });
    else {
      const tensor = FLOATS.includes(setting.name) ? { floatVal: [setting.value] } : tensorOf(setting.value);
      expect(parameters.structVal).toEqual({ [setting.predict]: tensor });
    }
  });

  test('a session whose default the model refuses can be made, told so, and put right', async () => {
    await using scene = await startWires((response, call) => {
      const isWrong = /"temperature":(5|\{"floatVal":\[5\]\})/.test(call.body);
      return isWrong ? refuses(response, call) : says([['Fine.']])(response, call);
    });
    const { client } = scene;
    const path = await client.session({ model: MODELS[wire], temperature: 5 });
    expect(await turnOf(client, path, route, { message: 'Hi' })).toMatchObject({
      state: 'FAILED',
      problem: { status: 422, detail: WORDS },
    });
    await client.patch(path, { temperature: 1 });
    expect(await turnOf(client, path, route, { message: 'Hi' })).toMatchObject({ state: 'COMMITTED' });
  });
});

/** What only the Gemini wire has a place for. */
const ON_GEMINI: readonly [string, object, object][] = [
  ['an unknown level of thinking', { thinkingConfig: { thinkingLevel: 'TURBO' } }, {}],
  ['a budget of thinking beyond any model', { thinkingConfig: { thinkingBudget: 10_000_000 } }, {}],
  ['a budget of thinking below -1', { thinkingConfig: { thinkingBudget: -2 } }, {}],
  ['an unknown type of answer', { responseMimeType: 'text/x-haiku' }, {}],
  ['an unknown threshold', {}, { safetySettings: [{ category: 'HARM_CATEGORY_PUNS', threshold: 'BLOCK_ALL' }] }],
  ['an unknown tool', {}, { tools: [{ teleport: { to: 'Mars' } }] }],
  ['an unknown mode of calling', {}, { toolConfig: { functionCallingConfig: { mode: 'MAYBE' } } }],
];

describe.each(ROUTES)('a Gemini model (%s)', (route) => {
  test.each(ON_GEMINI)('is asked with %s, and says itself what it makes of it', async (_what, config, beside) => {
    await using scene = await startWires(refuses);
    const path = await scene.client.session({ model: MODELS.gemini });
    const { json } = await scene.client.post(`${path}/${route}`, { message: 'Hi', ...config, ...beside });
    expect(json).toMatchObject({ status: 422, code: 'unsupported_by_model', detail: WORDS });
    const { contents: _contents, generationConfig = {}, ...rest } = scene.asked;
    expect({ generationConfig, ...rest }).toEqual({ generationConfig: config, ...beside });
    expect(scene.upstream.calls.map(isStreamed)).toEqual([route === 'messages/stream']);
  });
});

/** On the legacy wire they have no place at all: nothing is left out silently. */
describe.each(ROUTES)('a predict model (%s)', (route) => {
  const given = ON_GEMINI.map(([what, config, beside]): [string, object] => [what, { ...config, ...beside }]);
  test.each(given)('is never asked with %s', async (_what, settings) => {
    await using scene = await startWires(says([['never']]));
    const path = await scene.client.session({ model: MODELS.predict });
    const { json } = await scene.client.post(`${path}/${route}`, { message: 'Hi', ...settings });
    expect(json).toMatchObject({ status: 422, code: 'unsupported_by_model' });
    expect(json.detail).toContain(Object.keys(settings)[0]);
    expect(scene.upstream.calls).toEqual([]);
  });
});
