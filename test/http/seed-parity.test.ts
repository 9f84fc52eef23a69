// What the constructor of the seed's ChatSession took, and its history: through the whole service, on both wires.
// docs/seed-parity.md is the table to these tests.

import { describe, expect, test } from 'vitest';
import {
  MODELS,
  ROUTES,
  responds,
  says,
  startWires,
  turnOf,
  WIRES,
  WIRES_AND_ROUTES,
  type Wire,
  type WireScene,
} from '../support/wires.ts';

const FINE = says([['Fine.']]);

/** What was said before, as the newest request has it: `[author, text]`. */
function messagesAsked({ asked }: WireScene, wire: Wire): readonly [string, string][] {
  if (asked.inputs) {
    const { listVal } = asked.inputs[0].structVal.messages;
    return listVal.map(({ structVal }: { structVal: Record<string, { stringVal: string[] }> }) => {
      return [structVal.author?.stringVal[0], structVal.content?.stringVal[0]];
    });
  }
  if (wire === 'predict') {
    const [{ messages }] = asked.instances;
    return messages.map(({ author, content }: { author: string; content: string }) => [author, content]);
  }
  return asked.contents.map(({ role, parts }: { role: string; parts: { text: string }[] }) => {
    return [role === 'model' ? 'bot' : role, parts.map(({ text }) => text).join('')];
  });
}

/** The generation settings of the newest request, by the names of the wire. */
const settingsAsked = ({ asked }: WireScene, wire: Wire) =>
  wire === 'predict' ? asked.parameters : (asked.generationConfig ?? {});

describe('the model', () => {
  test.each([
    ['gemini-2.5-pro', 'publishers/google/models/gemini-2.5-pro:generateContent'],
    ['publishers/google/models/gemini-2.5-pro', 'publishers/google/models/gemini-2.5-pro:generateContent'],
    ['chat-bison@001', 'publishers/google/models/chat-bison@001:predict'],
    ['publishers/google/models/chat-bison@001', 'publishers/google/models/chat-bison@001:predict'],
    ['projects/p/locations/eu/endpoints/42', 'endpoints/42:predict'],
  ])('%s is asked at its own address', async (model, address) => {
    await using scene = await startWires(FINE, { PREDICT_MODELS: 'projects/p/locations/eu/endpoints/42' });
    const path = await scene.client.session({ model });
    expect((await scene.client.post(`${path}/messages`, { message: 'Hi' })).json).toMatchObject({
      model,
      text: 'Fine.',
    });
    const url = decodeURIComponent(scene.upstream.calls[0]?.url ?? '');
    expect(url.slice(-address.length)).toBe(address);
  });

  test('is not asked by starting a chat, so that an unknown one is found out by the first message', async () => {
    await using scene = await startWires((response, call) => {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: 404, status: 'NOT_FOUND', message: `No ${call.model}.` } }));
    });
    const path = await scene.client.session({ model: 'chat-giraffe' });
    expect(scene.upstream.calls).toEqual([]);
    const { status, json } = await scene.client.post(`${path}/messages`, { message: 'Hi' });
    expect({ status, code: json.code, detail: json.detail }).toEqual({
      status: 422,
      code: 'unsupported_by_model',
      detail: 'No chat-giraffe.',
    });
  });
});

describe.each(WIRES)('on the %s wire', (wire) => {
  const model = MODELS[wire];

  test('context and examples go with every request, and never into the history', async () => {
    await using scene = await startWires(FINE);
    const { client } = scene;
    const path = await client.session({ model, context: 'Be brief.', examples: [{ input: 'in', output: 'out' }] });
    for (const message of ['One?', 'Two?']) {
      await client.post(`${path}/messages`, { message });
      if (wire === 'predict') {
        const examples = [{ input: { content: 'in' }, output: { content: 'out' } }];
        expect(scene.asked.instances).toMatchObject([{ context: 'Be brief.', examples }]);
      } else {
        expect(scene.asked.systemInstruction.parts).toEqual([{ text: 'Be brief.' }]);
        const shots = [
          { role: 'user', parts: [{ text: 'in' }] },
          { role: 'model', parts: [{ text: 'out' }] },
        ];
        expect(scene.asked.contents.slice(0, 2)).toEqual(shots);
      }
    }
    const texts = (await client.history(path)).map(([, content]) => content);
    expect(texts).toEqual(['One?', 'Fine.', 'Two?', 'Fine.']);
  });

  const SETTINGS = [
    ['maxOutputTokens', 100, 200, { gemini: 'maxOutputTokens', predict: 'maxDecodeSteps' }],
    ['temperature', 0.1, 0.2, { gemini: 'temperature', predict: 'temperature' }],
    ['topK', 1, 2, { gemini: 'topK', predict: 'topK' }],
    ['topP', 0.1, 0.2, { gemini: 'topP', predict: 'topP' }],
    ['stopSequences', ['\n'], ['# %%'], { gemini: 'stopSequences', predict: 'stopSequences' }],
  ] as const;

  test.each(SETTINGS)('%s of the session holds until a message overrides it, for itself alone', async (...setting) => {
    const [name, ofSession, ofSend, names] = setting;
    await using scene = await startWires(FINE);
    const path = await scene.client.session({ model, [name]: ofSession });
    const sent: unknown[] = [];
    for (const body of [{}, { [name]: ofSend }, {}, { [name]: null }]) {
      await scene.client.post(`${path}/messages`, { message: 'Hi', ...body });
      sent.push(settingsAsked(scene, wire));
    }
    const wireName = names[wire];
    expect(sent).toEqual([{ [wireName]: ofSession }, { [wireName]: ofSend }, { [wireName]: ofSession }, {}]);
    expect((await scene.client.get(path)).json[name]).toEqual(ofSession);
  });

  test('a temperature or topP of 0 is a value, as an override and as a default', async () => {
    await using scene = await startWires(FINE);
    const { client } = scene;
    const path = await client.session({ model, temperature: 0.5, topP: 0.5 });
    await client.post(`${path}/messages`, { message: 'Hi', temperature: 0, topP: 0 });
    expect(settingsAsked(scene, wire)).toEqual({ temperature: 0, topP: 0 });
    const cold = await client.session({ model, temperature: 0, topP: 0 });
    await client.post(`${cold}/messages`, { message: 'Hi' });
    expect(settingsAsked(scene, wire)).toEqual({ temperature: 0, topP: 0 });
  });

  test('an empty list of stop sequences overrides that of the session with none', async () => {
    await using scene = await startWires(FINE);
    const path = await scene.client.session({ model, stopSequences: ['END'] });
    await scene.client.post(`${path}/messages`, { message: 'Hi', stopSequences: [] });
    expect(settingsAsked(scene, wire).stopSequences ?? []).toEqual([]);
  });

  test('a maxOutputTokens or topK of 0 is refused instead of read as unset', async () => {
    await using scene = await startWires(FINE);
    const path = await scene.client.session({ model, maxOutputTokens: 100, topK: 3 });
    for (const name of ['maxOutputTokens', 'topK']) {
      const { status, json } = await scene.client.post(`${path}/messages`, { message: 'Hi', [name]: 0 });
      expect({ status, errors: json.errors }).toEqual({
        status: 400,
        errors: [{ path: `/${name}`, message: 'must be >= 1' }],
      });
    }
    expect(scene.upstream.calls).toEqual([]);
  });

  test('a history that is brought along is said before the first question, whoever begins it', async () => {
    await using scene = await startWires(FINE);
    const messageHistory = [
      { author: 'user', content: 'Question 1?' },
      { author: 'bot', content: 'Answer 1.' },
    ];
    const path = await scene.client.session({ model, messageHistory });
    await scene.client.post(`${path}/messages`, { message: 'And?' });
    expect(messagesAsked(scene, wire)).toEqual([
      ['user', 'Question 1?'],
      ['bot', 'Answer 1.'],
      ['user', 'And?'],
    ]);
    const begunByBot = await scene.client.session({ model, messageHistory: messageHistory.slice(1) });
    await scene.client.post(`${begunByBot}/messages`, { message: 'And?' });
    // Neither wire takes a bot that begins.
    expect(messagesAsked(scene, wire)).toEqual([
      ['user', ' '],
      ['bot', 'Answer 1.'],
      ['user', 'And?'],
    ]);
    expect(await scene.client.history(begunByBot)).toHaveLength(3);
  });

  test('every author but the two is refused, and their other names are understood', async () => {
    await using scene = await startWires(FINE);
    const historyOf = (author: string) => ({ model, messageHistory: [{ author, content: 'Welcome.' }] });
    for (const author of ['model', 'assistant', 'bot']) {
      expect(await scene.client.history(await scene.client.session(historyOf(author)))).toEqual([['bot', 'Welcome.']]);
    }
    const { json } = await scene.client.post('/v1/sessions', historyOf('1'));
    expect(json).toMatchObject({ status: 400, errors: [{ path: '/messageHistory/0/author' }] });
  });
});

describe('the message history', () => {
  test.each(WIRES_AND_ROUTES)('grows by question and answer once the answer is there (%s, %s)', async (wire, route) => {
    await using scene = await startWires(says([['One '], ['and two.']]));
    const path = await scene.client.session({ model: MODELS[wire] });
    await turnOf(scene.client, path, route, { message: 'First?' });
    await turnOf(scene.client, path, route, { message: 'Second?' });
    const history = [
      ['user', 'First?'],
      ['bot', 'One and two.'],
      ['user', 'Second?'],
      ['bot', 'One and two.'],
    ];
    expect(await scene.client.history(path)).toEqual(history);
    expect(messagesAsked(scene, wire)).toEqual(history.slice(0, 3));
  });

  test('is read as messages with ids, and cannot be changed by writing to what was read', async () => {
    await using scene = await startWires(FINE);
    const { client } = scene;
    const path = await client.session({ model: MODELS.gemini });
    await client.post(`${path}/messages`, { message: 'Hi' });
    const { json, text: before } = await client.get(`${path}/messages`);
    expect(json.messages).toEqual([
      { id: expect.any(String), turnId: expect.any(String), author: 'user', ...said('Hi') },
      { id: expect.any(String), turnId: expect.any(String), author: 'bot', ...said('Fine.') },
    ]);
    const { json: refused } = await client.patch(path, { messageHistory: [] });
    expect(refused).toMatchObject({ status: 400, errors: [{ path: '/messageHistory' }] });
    expect((await client.patch(`${path}/messages`, { messages: [] })).status).toBe(405);
    expect((await client.get(`${path}/messages`)).text).toBe(before);
  });

  test.each(WIRES_AND_ROUTES)('is as it was when the model refuses (%s, %s)', async (wire, route) => {
    const error = { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'No.' } };
    await using scene = await startWires((response) => {
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(error));
    });
    const messageHistory = [{ author: 'bot', content: 'Welcome.' }];
    const path = await scene.client.session({ model: MODELS[wire], messageHistory });
    expect(await turnOf(scene.client, path, route, { message: 'Hi' })).toMatchObject({ state: 'FAILED' });
    expect(await scene.client.history(path)).toEqual([['bot', 'Welcome.']]);
  });
});

const said = (content: string) => ({ content, parts: [{ text: content }], createTime: expect.any(String) });

test.each(ROUTES)('a question that is no text is too much for a predict model, and says so (%s)', async (route) => {
  await using scene = await startWires(responds({}));
  const path = await scene.client.session({ model: MODELS.predict });
  const parts = [{ text: 'Look.' }, { inlineData: { mimeType: 'image/png', data: 'AA==' } }];
  const { status, headers, json } = await scene.client.post(`${path}/${route}`, { parts });
  expect({ status, code: json.code }).toEqual({ status: 422, code: 'unsupported_by_model' });
  expect(json.detail).toContain('inlineData');
  // Refused before there was a turn.
  expect(headers).not.toHaveProperty('turn-id');
  expect(scene.upstream.calls).toEqual([]);
});
