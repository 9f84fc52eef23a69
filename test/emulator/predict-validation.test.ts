// What the legacy wire refuses.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { errorIn, post, VERTEX } from './ask.ts';
import { predict, said, streamPredict, tensor } from './predict-ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

const UNKNOWN = 'Invalid JSON payload received. Unknown name';
const ODD = 'There should be odd number of messages for correct alternating turn.';
const WHY = { messages: said('Why?') };

const bot = { author: 'bot', content: 'Hi' };
const user = { author: 'user', content: 'Hi' };

const INSTANCES: Readonly<Record<string, [instance: unknown, message: string]>> = {
  'no messages': [{}, 'at least one message'],
  'an empty list of messages': [{ messages: [] }, 'at least one message'],
  'the answer of the bot at the end': [{ messages: [user, bot] }, ODD],
  'a history that begins with the bot': [{ messages: [bot, user] }, ODD],
  'nothing but a message of the bot': [{ messages: [bot] }, 'The last message must be a message of the user.'],
  'authors who do not take turns': [{ messages: [user, user, user] }, 'Messages must alternate between authors.'],
  'a message without author': [{ messages: [{ content: 'Hi' }] }, 'must have an author'],
  'a message without content': [{ messages: [{ author: 'user' }] }, 'must have a content that is not empty'],
  'an empty message': [{ messages: [{ author: 'user', content: '' }] }, 'must have a content that is not empty'],
  'an empty answer in the history': [
    { messages: [user, { author: 'bot', content: '' }, user] },
    "[0].messages[1]' must have a content that is not empty",
  ],
  'a content that is no string': [{ messages: [{ author: 'user', content: 5 }] }, '[0].messages[0].content'],
  'messages that are no list': [{ messages: 'Hi' }, "[0].messages' (list)"],
  'a context that is no string': [{ ...WHY, context: ['a'] }, "[0].context' (TYPE_STRING)"],
  'an example without output': [
    { ...WHY, examples: [{ input: { content: 'a' } }] },
    'must have an input and an output',
  ],
  'an example with an empty input': [
    { ...WHY, examples: [{ input: { content: '' }, output: { content: 'b' } }] },
    'must have an input and an output with content',
  ],
  'an example of strings': [{ ...WHY, examples: [{ input: 'a', output: 'b' }] }, "[0].examples[0].input' (message)"],
  'an unknown field': [{ ...WHY, history: 'none' }, `${UNKNOWN} "history" at '`],
  'an unknown field of a message': [{ messages: [{ ...user, role: 'user' }] }, `${UNKNOWN} "role" at '`],
};

const source = (fields: object) => ({ groundingConfig: { sources: [fields] } });
const datastore = 'projects/p/locations/l/collections/c/dataStores/d';

const PARAMETERS: Readonly<Record<string, [parameters: unknown, message: string]>> = {
  'a temperature above 1': [{ temperature: 1.1 }, 'a temperature value of 1.1 but the supported range is from 0'],
  'a temperature below 0': [{ temperature: -1 }, 'a temperature value of -1'],
  'a temperature in words': [{ temperature: 'hot' }, `'parameters.temperature' (TYPE_FLOAT), "hot"`],
  'a topP above 1': [{ topP: 1.5 }, 'a topP value of 1.5'],
  'a topK of 0': [{ topK: 0 }, 'a topK value of 0 but the supported range is from 1 (inclusive) to 40 (inclusive)'],
  'a topK above 40': [{ topK: 41 }, 'a topK value of 41'],
  'a topK that is not whole': [{ topK: 1.5 }, "'parameters.topK' (TYPE_INT32), 1.5"],
  'no candidates': [{ candidateCount: 0 }, 'a candidateCount value of 0'],
  'nine candidates': [{ candidateCount: 9 }, 'a candidateCount value of 9'],
  'no tokens': [{ maxDecodeSteps: 0 }, 'a maxOutputTokens value of 0'],
  'both names of the limit': [{ maxDecodeSteps: 5, maxOutputTokens: 5 }, 'two names of one parameter'],
  'stop sequences that are no list': [{ stopSequences: 'a' }, "'parameters.stopSequences' (TYPE_STRING)"],
  'a setting of Gemini': [{ thinkingConfig: { thinkingBudget: 5 } }, `${UNKNOWN} "thinkingConfig" at 'parameters'`],
  'a parameter in snake_case, which is nobody’s': [{ top_k: 5 }, `${UNKNOWN} "top_k" at 'parameters'`],
  'grounding without sources': [{ groundingConfig: { disableAttribution: true } }, 'must have at least one source'],
  'a source of an unknown type': [source({ type: 'BOOKS' }), `(GroundingSource.Type), "BOOKS"`],
  'a source without type': [source({ inlineContext: 'a' }), `(GroundingSource.Type), ""`],
  'a data store that is not named': [source({ type: 'VERTEX_AI_SEARCH' }), 'must have vertexAiSearchDatastore'],
  'a data store of another name': [
    source({ type: 'VERTEX_AI_SEARCH', vertexAiSearchDatastore: 'd' }),
    'not the name of a data store',
  ],
  'an inline source without text': [source({ type: 'INLINE', inlineContext: '' }), 'must have inlineContext'],
  'a source with a field of another type': [
    source({ type: 'WEB', vertexAiSearchDatastore: datastore }),
    'a WEB source has no vertexAiSearchDatastore',
  ],
  'an unknown field of the grounding': [{ groundingConfig: { sources: [], web: true } }, `${UNKNOWN} "web" at '`],
};

const refusal = (message: string) => ({
  code: 400,
  status: 'INVALID_ARGUMENT',
  message: expect.stringContaining(message),
});

describe('a request is refused, streamed or not,', () => {
  test.each(Object.entries(INSTANCES))('with %s', async (_, [instance, message]) => {
    const answers = [await predict(emulator.address, instance), await streamPredict(emulator.address, instance)];
    for (const answer of answers) expect(errorIn(answer)).toMatchObject(refusal(message));
    expect(answers.map(({ status }) => status)).toEqual([400, 400]);
  });

  test.each(Object.entries(PARAMETERS))('with %s', async (_, [parameters, message]) => {
    const answers = [
      await predict(emulator.address, WHY, parameters),
      await streamPredict(emulator.address, WHY, parameters),
    ];
    for (const answer of answers) expect(errorIn(answer)).toMatchObject(refusal(message));
  });
});

const STREAMED = { inputs: [tensor(WHY)] };

const BODIES: Readonly<Record<string, [method: string, body: unknown, message: string]>> = {
  'no instances': ['predict', {}, 'Empty instances.'],
  'an empty list of instances': ['predict', { instances: [] }, 'Empty instances.'],
  'two instances': ['predict', { instances: [WHY, WHY] }, 'it has 2 instances'],
  'instances that are no list': ['predict', { instances: WHY }, "Invalid value at 'instances' (list)"],
  'an instance that is no object': ['predict', { instances: ['Why?'] }, "Invalid value at 'instances[0]' (message)"],
  'parameters that are no object': ['predict', { instances: [WHY], parameters: [] }, "'parameters' (message)"],
  'the fields of Gemini': ['predict', { instances: [WHY], contents: [] }, `${UNKNOWN} "contents"`],
  'Tensors where there are none': ['predict', STREAMED, `${UNKNOWN} "inputs"`],
  'parameters to count': ['countTokens', { instances: [WHY], parameters: {} }, `${UNKNOWN} "parameters"`],
  'two instances to count': ['countTokens', { instances: [WHY, WHY] }, 'it has 2 instances'],
  'no inputs': ['serverStreamingPredict', {}, 'Empty inputs.'],
  'two inputs': ['serverStreamingPredict', { inputs: [...STREAMED.inputs, ...STREAMED.inputs] }, 'it has 2 inputs'],
  'an instance that is no Tensor': [
    'serverStreamingPredict',
    { inputs: [WHY] },
    `${UNKNOWN} "messages" at 'inputs[0]'`,
  ],
  'a Tensor of two kinds': [
    'serverStreamingPredict',
    { inputs: [{ structVal: {}, stringVal: ['a'] }] },
    'it has both structVal and stringVal',
  ],
  'a scalar that is not in a list': [
    'serverStreamingPredict',
    { ...STREAMED, parameters: { structVal: { topK: { intVal: 5 } } } },
    "'parameters.topK.intVal' (list)",
  ],
  'a scalar of another type': [
    'serverStreamingPredict',
    { ...STREAMED, parameters: { structVal: { topK: { intVal: [1.5] } } } },
    "'parameters.topK' (TYPE_INT32), 1.5",
  ],
};

describe('a body is refused', () => {
  test.each(Object.entries(BODIES))('with %s', async (_, [method, body, message]) => {
    const answer = await post(emulator.address, `${VERTEX}/m:${method}?alt=sse`, body);
    expect(errorIn(answer)).toMatchObject(refusal(message));
  });
});

describe('a request is taken', () => {
  test.each<[string, unknown, unknown]>([
    ['with every parameter at its limit', WHY, { temperature: 1, topP: 0, topK: 40, candidateCount: 8 }],
    ['with the settings of the text models', WHY, { seed: 7, presencePenalty: 1, frequencyPenalty: -1, logprobs: 1 }],
    ['with authors in capitals and of any other name', { messages: [{ ...user, author: 'USER' }] }, {}],
    ['with a bot of another name', { messages: [user, { ...bot, author: 'AI' }, user] }, {}],
    ['with null for what is absent', { ...WHY, context: null, examples: null }, { temperature: null }],
    ['with a data store', WHY, source({ type: 'VERTEX_AI_SEARCH', vertexAiSearchDatastore: datastore })],
  ])('%s', async (_, instance, parameters) => {
    expect((await predict(emulator.address, instance, parameters)).status).toBe(200);
    expect((await streamPredict(emulator.address, instance, parameters)).status).toBe(200);
  });
});
