// What answers of the legacy wire have in common: their shape, what can be seen in them, and what the parameters do.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { post, VERTEX } from './ask.ts';
import {
  documentIn,
  eventsIn,
  outputIn,
  predict,
  predictionIn,
  predictionsIn,
  said,
  streamPredict,
  textIn,
} from './predict-ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

const WHY = { messages: said('Why?') };
const WEB = { groundingConfig: { sources: [{ type: 'WEB' }], disableAttribution: false } };
const DATASTORE = 'projects/p/locations/global/collections/default_collection/dataStores/d';

const textOf = async (instance: unknown, parameters: unknown = {}) =>
  textIn([predictionIn(await predict(emulator.address, instance, parameters))]);

describe('a prediction', () => {
  test('is byte for byte the same for the same request, also from another process', async () => {
    const other = await startEmulator({ chunkDelayMs: 0 });
    const [here, there] = [emulator, other].map(({ address }) =>
      Promise.all([predict(address, WHY, WEB), streamPredict(address, WHY, WEB)]),
    );
    const texts = (answers: Awaited<typeof here>) => answers?.map(({ text }) => text);
    expect(texts(await there)).toEqual(texts(await here));
    await other.close();
  });

  test('says what was asked, and what came with it: history, context, examples and a given text', async () => {
    const instance = {
      context: 'You are terse.',
      examples: [{ input: { content: 'a' }, output: { content: 'b' } }],
      messages: said('Hello', 'Hi', 'What is a proxy?'),
    };
    const inline = { groundingConfig: { sources: [{ type: 'INLINE', inlineContext: 'A proxy stands between.' }] } };
    const text = await textOf(instance, inline);
    expect(text).toMatch(/“What is a proxy\?”.*2 earlier messages/s);
    expect(text).toContain('My instructions begin with “You are terse.”.');
    expect(text).toContain('I was shown 1 example.');
    expect(text).toContain('I was given a text that begins with “A proxy stands between.”.');
    const bare = await textOf(WHY);
    expect(bare).toContain('0 earlier messages');
    expect(bare).not.toMatch(/instructions|shown|given/);
  });

  test('has one entry per candidate in each of its lists', async () => {
    const prediction = predictionIn(await predict(emulator.address, WHY, { candidateCount: 3 }));
    expect(prediction.candidates.map(({ author }) => author)).toEqual(['1', '1', '1']);
    expect(new Set(prediction.candidates.map(({ content }) => content)).size).toBe(3);
    expect(prediction.groundingMetadata).toEqual([{}, {}, {}]);
    expect(prediction.citationMetadata).toEqual([{ citations: [] }, { citations: [] }, { citations: [] }]);
    expect(prediction.safetyAttributes).toHaveLength(3);
    for (const { blocked, categories, scores, ...rest } of prediction.safetyAttributes) {
      expect([blocked, categories?.length, scores?.length]).toEqual([false, 3, 3]);
      expect(scores?.every((score) => score > 0 && score < 1)).toBe(true);
      expect(rest).not.toHaveProperty('errors');
    }
  });

  test('counts tokens and visible characters of the request and of all candidates', async () => {
    const instance = { context: 'a b', messages: said('c d 🚀') };
    const answer = documentIn(await predict(emulator.address, instance, { candidateCount: 2 }));
    const { inputTokenCount, outputTokenCount } = answer.metadata.tokenMetadata;
    expect(inputTokenCount).toEqual({ totalTokens: 2, totalBillableCharacters: 5 });
    const [one = '', two = ''] = answer.predictions[0]?.candidates.map(({ content }) => content) ?? [];
    expect(outputTokenCount).toEqual({
      totalTokens: Math.ceil(Array.from(one + two).length / 4),
      totalBillableCharacters: Array.from((one + two).replace(/\s/g, '')).length,
    });
  });

  test('names the publisher model it came from, with its version where one was asked for', async () => {
    const name = (model: string) => `projects/p/locations/us-central1/publishers/google/models/${model}`;
    expect(documentIn(await predict(emulator.address, WHY, {}, 'chat-bison@002'))).toMatchObject({
      model: name('chat-bison@002'),
      modelVersionId: '002',
      modelDisplayName: 'chat-bison',
    });
    const unversioned = documentIn(await predict(emulator.address, WHY, {}, 'chat-bison'));
    expect(unversioned).toMatchObject({ model: name('chat-bison'), modelDisplayName: 'chat-bison' });
    expect(unversioned).not.toHaveProperty('modelVersionId');
    expect(unversioned).not.toHaveProperty('deployedModelId');
  });

  test('names the model behind an endpoint', async () => {
    const body = { instances: [WHY] };
    const answer = await post(emulator.address, '/v1/projects/p/locations/l/endpoints/42:predict', body);
    expect(documentIn(answer)).toMatchObject({
      deployedModelId: expect.stringMatching(/^\d+$/),
      model: 'projects/p/locations/l/models/42',
      modelVersionId: '1',
    });
  });
});

describe('a stream', () => {
  test('brings the same text as the prediction in several pieces, and the ratings with the last one', async () => {
    const chunks = predictionsIn(await streamPredict(emulator.address, WHY, WEB));
    const whole = predictionIn(await predict(emulator.address, WHY, WEB));
    expect(textIn(chunks)).toBe(textIn([whole]));
    expect(chunks.length).toBeGreaterThan(5);
    for (const chunk of chunks.slice(0, -1)) {
      expect(chunk.safetyAttributes).toEqual([{ blocked: false, categories: null, scores: null }]);
      expect(chunk.groundingMetadata).toEqual([null]);
    }
    expect(chunks.at(-1)?.safetyAttributes).toEqual(whole.safetyAttributes);
    expect(chunks.at(-1)?.groundingMetadata).toEqual(whole.groundingMetadata);
    expect(chunks.at(-1)?.citationMetadata).toEqual([{ citations: null }]);
  });

  test('wraps every value in a Tensor as the SDK unwraps it: lists of one, 64 bits as strings, nothing for what is empty', async () => {
    const [event] = eventsIn(
      await streamPredict(emulator.address, { messages: said('Why? [[chunks:1]] [[citations]]') }),
    );
    const { candidates, safetyAttributes, citationMetadata, groundingMetadata } = Object(event).outputs[0].structVal;
    expect(candidates.listVal[0].structVal.author).toEqual({ stringVal: ['1'] });
    expect(safetyAttributes.listVal[0].structVal.blocked).toEqual({ boolVal: [false] });
    expect(safetyAttributes.listVal[0].structVal.scores.listVal[0]).toEqual({ doubleVal: [expect.any(Number)] });
    expect(safetyAttributes.listVal[0].structVal.categories.listVal[0]).toEqual({ stringVal: [expect.any(String)] });
    const { listVal: citations } = citationMetadata.listVal[0].structVal.citations;
    expect(citations[0].structVal).toMatchObject({ startIndex: { int64Val: ['0'] }, endIndex: { int64Val: ['40'] } });
    expect(groundingMetadata).toEqual({ listVal: [{}] });
    const [first] = eventsIn(await streamPredict(emulator.address, WHY));
    const attributes = Object(first).outputs[0].structVal.safetyAttributes.listVal[0].structVal;
    expect([attributes.categories, attributes.scores]).toEqual([{}, {}]);
  });

  test('has all candidates in every chunk, and one that has ended adds nothing', async () => {
    const chunks = predictionsIn(await streamPredict(emulator.address, WHY, { candidateCount: 4 }));
    const whole = predictionIn(await predict(emulator.address, WHY, { candidateCount: 4 }));
    expect(chunks.every(({ candidates, safetyAttributes }) => candidates.length + safetyAttributes.length === 8)).toBe(
      true,
    );
    for (let index = 0; index < 4; index++) {
      expect(textIn(chunks, index)).toBe(whole.candidates[index]?.content);
      expect(chunks.at(-1)?.safetyAttributes[index]).toEqual(whole.safetyAttributes[index]);
    }
    expect(chunks.at(-1)?.candidates.map(({ content }) => content)).toContain('');
  });

  test('never tells a finish reason or a token count: a clean end is the end', async () => {
    const answer = await streamPredict(emulator.address, WHY);
    expect(answer.text).not.toMatch(/finishReason|tokenMetadata|tokenCount/i);
    expect(eventsIn(answer).flatMap(Object.keys)).toEqual(eventsIn(answer).map(() => 'outputs'));
  });

  test('is one streamed JSON array without alt=sse, and so is an error', async () => {
    const answer = await streamPredict(emulator.address, WHY, undefined, 'm', '');
    expect([answer.headers.get('content-type'), answer.text.startsWith('[{\n')]).toEqual([
      'application/json; charset=UTF-8',
      true,
    ]);
    expect(textIn(JSON.parse(answer.text).map(outputIn))).toBe(await textOf(WHY));
    const refused = await streamPredict(emulator.address, {}, undefined, 'm', '');
    expect([refused.status, JSON.parse(refused.text)[0].error.code]).toEqual([400, 400]);
  });

  test('takes Tensors with snake_case names, 64 bits as strings, and parameters that are left out or empty', async () => {
    const list_val = [{ struct_val: { author: { string_val: ['user'] }, content: { string_val: ['Why?'] } } }];
    const inputs = [{ struct_val: { messages: { list_val } } }];
    const path = `${VERTEX}/m:serverStreamingPredict?alt=sse`;
    const whole = await textOf(WHY);
    for (const parameters of [undefined, {}, { structVal: {} }]) {
      expect(textIn(predictionsIn(await post(emulator.address, path, { inputs, parameters })))).toBe(whole);
    }
    const topK = { structVal: { topK: { int64Val: ['3'] } } };
    expect(textIn(predictionsIn(await post(emulator.address, path, { inputs, parameters: topK })))).toBe(
      await textOf(WHY, { topK: 3 }),
    );
  });
});

describe('the parameters', () => {
  test.each(['maxDecodeSteps', 'maxOutputTokens'])('%s ends the answer, in characters', async (name) => {
    expect(Array.from(await textOf(WHY, { [name]: 5 }))).toHaveLength(20);
    expect(Array.from(await textOf(WHY, { [name]: 5000 })).length).toBeGreaterThan(100);
    const chunks = predictionsIn(await streamPredict(emulator.address, WHY, { [name]: 5 }));
    expect(Array.from(textIn(chunks))).toHaveLength(20);
  });

  test('stopSequences end the answer before them, even before its first word', async () => {
    const stopSequences = ['zzz', 'I saw'];
    expect(await textOf(WHY, { stopSequences })).toMatch(/Before it $/);
    const chunks = predictionsIn(await streamPredict(emulator.address, WHY, { stopSequences: ['“', ' ', 'e'] }));
    expect([chunks.length, textIn(chunks).length < 10, chunks.at(-1)?.safetyAttributes[0]?.blocked]).toEqual([
      1,
      true,
      false,
    ]);
  });

  test('a WEB source gives search queries, and citations whose offsets are those of sentences', async () => {
    const prediction = predictionIn(await predict(emulator.address, { messages: said('Grüße?') }, WEB));
    const text = textIn([prediction]);
    const { citations, searchQueries } = Object(prediction.groundingMetadata[0]);
    expect(searchQueries).toEqual(['Grüße?']);
    expect(citations).toHaveLength(3);
    for (const { startIndex, endIndex, url } of citations) {
      expect(text.slice(startIndex, endIndex)).toMatch(/^\S.*[.!?…]$/);
      expect(url).toMatch(/^https:/);
    }
  });

  test('a VERTEX_AI_SEARCH source gives its documents, and without attribution only the query', async () => {
    const source = { type: 'VERTEX_AI_SEARCH', vertexAiSearchDatastore: DATASTORE };
    const grounded = async (disableAttribution: boolean) => {
      const groundingConfig = { sources: [source], disableAttribution };
      return predictionIn(await predict(emulator.address, WHY, { groundingConfig })).groundingMetadata[0];
    };
    expect(await grounded(false)).toMatchObject({ citations: [{ url: 'gs://emulated/first.pdf' }, {}, {}] });
    expect(await grounded(true)).toEqual({ citations: [], searchQueries: ['Why?'] });
  });
});

describe('counting tokens', () => {
  test('takes an instance and tells both totals, wherever its history ends', async () => {
    const count = async (instance: object) => {
      const answer = await post(emulator.address, `${VERTEX}/m:countTokens`, { instances: [instance] });
      return [answer.status, JSON.parse(answer.text)];
    };
    const total = (totalTokens: number, totalBillableCharacters: number) => [
      200,
      { totalTokens, totalBillableCharacters },
    ];
    expect(await count({ messages: said('Hello there', 'Hi') })).toEqual(total(4, 12));
    expect(await count({ context: 'Be brief', messages: said('Hello there', 'Hi') })).toEqual(total(6, 19));
    expect(await count({ context: 'Be brief', messages: [] })).toEqual(total(2, 7));
  });
});
