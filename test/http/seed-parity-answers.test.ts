// What the seed's answer held (MultiCandidateTextGenerationResponse, TextGenerationResponse), through the whole service:
// on the legacy wire compared with how the library itself reads the same prediction, on the Gemini wire with what the
// reference makes of its fields.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  MODELS,
  predicts,
  ROUTES,
  responds,
  says,
  startWires,
  turnOf,
  WIRES_AND_ROUTES,
  type Wire,
} from '../support/wires.ts';

interface SeedAnswer {
  readonly text: string;
  readonly is_blocked: boolean;
  readonly errors: readonly number[];
  readonly safety_attributes: Readonly<Record<string, number>>;
  readonly grounding_metadata: {
    readonly citations: readonly Readonly<Record<string, unknown>>[];
    readonly search_queries: readonly string[];
  };
}

const folder = new URL('../predict/vectors/answers/', import.meta.url);
const ANSWERS = readdirSync(folder).map((file): [string, { prediction: object; read: readonly SeedAnswer[] }] => [
  file.replace('.json', ''),
  JSON.parse(readFileSync(new URL(file, folder), 'utf8')),
]);

/** The seed's names as ours. What it has as `None` is left out here. */
function asOurs({ text, is_blocked, errors, safety_attributes, grounding_metadata }: SeedAnswer) {
  return {
    text,
    isBlocked: is_blocked,
    errors,
    safetyAttributes: safety_attributes,
    groundingMetadata: {
      citations: grounding_metadata.citations.map(({ start_index, end_index, publication_date, ...rest }) =>
        Object.fromEntries(
          Object.entries({ startIndex: start_index, endIndex: end_index, publicationDate: publication_date, ...rest })
            // The library writes None where the model said nothing.
            .filter(([, value]) => value !== null),
        ),
      ),
      searchQueries: grounding_metadata.search_queries,
    },
  };
}

describe.each(ANSWERS)('the prediction %s', (_name, { prediction, read: [whole, ...candidates] }) => {
  test.each(ROUTES)('is the answer that the seed made of it (%s)', async (route) => {
    await using scene = await startWires(predicts(prediction));
    const path = await scene.client.session({ model: MODELS.predict });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi', candidateCount: candidates.length });
    expect(turn).toMatchObject({ state: 'COMMITTED', ...(whole && asOurs(whole)) });
    expect(turn.candidates).toMatchObject(candidates.map(asOurs));
    expect(turn.candidates).toHaveLength(candidates.length);
    expect((await scene.client.history(path)).at(-1)).toEqual(['bot', whole?.text]);
  });
});

const GROUNDED = {
  candidates: [
    {
      index: 0,
      content: { role: 'model', parts: [{ text: 'Größer: Jupiter.' }] },
      finishReason: 'STOP',
      avgLogprobs: -0.1,
      safetyRatings: [
        { category: 'HARM_CATEGORY_HARASSMENT', probability: 'NEGLIGIBLE', probabilityScore: 0.25 },
        { category: 'HARM_CATEGORY_JAILBREAK', probability: 'LOW' },
      ],
      citationMetadata: { citations: [{ endIndex: 7, uri: 'https://book', license: 'mit' }] },
      groundingMetadata: {
        webSearchQueries: ['largest planet'],
        groundingChunks: [{ web: { uri: 'https://planets', title: 'Planets' } }],
        groundingSupports: [{ segment: { startIndex: 10, endIndex: 18 }, groundingChunkIndices: [0] }],
      },
    },
  ],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 5, thoughtsTokenCount: 2, totalTokenCount: 10 },
  modelVersion: 'gemini-2.5-pro-001',
  responseId: 'the-response-id',
};

describe.each(ROUTES)('the answer of a Gemini model (%s)', (route) => {
  test('has the fields of the seed, made of those of its wire', async () => {
    await using scene = await startWires(responds(GROUNDED));
    const path = await scene.client.session({ model: MODELS.gemini });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi' });
    const fields = {
      text: 'Größer: Jupiter.',
      isBlocked: false,
      errors: [],
      safetyAttributes: { HARM_CATEGORY_HARASSMENT: 0.25 },
      groundingMetadata: {
        citations: [{ startIndex: 8, endIndex: 16, url: 'https://planets', title: 'Planets' }],
        searchQueries: ['largest planet'],
      },
    };
    expect(turn).toMatchObject(fields);
    const citations = [{ startIndex: 0, endIndex: 7, url: 'https://book', license: 'mit' }];
    expect(turn.candidates).toMatchObject([{ index: 0, ...fields, citations }]);
  });

  test('has every field of the seed when the model reports nothing but a text', async () => {
    await using scene = await startWires(says([['Fine.']]));
    const path = await scene.client.session({ model: MODELS.gemini });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi' });
    const none = { errors: [], safetyAttributes: {}, groundingMetadata: { citations: [], searchQueries: [] } };
    expect(turn).toMatchObject({ text: 'Fine.', isBlocked: false, ...none });
    expect(turn.candidates).toMatchObject([{ text: 'Fine.', isBlocked: false, ...none }]);
  });

  test('has no numeric errors when it is blocked, but the reason by name', async () => {
    const blocked = { candidates: [{ finishReason: 'SAFETY', safetyRatings: [{ category: 'X', blocked: true }] }] };
    await using scene = await startWires(responds(blocked));
    const path = await scene.client.session({ model: MODELS.gemini });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi' });
    expect(turn).toMatchObject({ state: 'BLOCKED', isBlocked: true, blockReason: 'SAFETY', errors: [] });
    expect(turn.candidates).toMatchObject([{ isBlocked: true, blockReason: 'SAFETY', errors: [] }]);
  });
});

const REFUSED = {
  gemini: responds({ candidates: [{ finishReason: 'SAFETY' }] }),
  predict: predicts({
    candidates: [{ author: '1', content: '' }],
    safetyAttributes: [{ blocked: true, errors: [253], categories: ['Finance'], scores: [0.1] }],
  }),
};

/** Candidate 0 is blocked, candidate 1 is fine. */
const HALF_REFUSED = {
  gemini: responds({
    candidates: [
      { index: 0, finishReason: 'SAFETY' },
      { index: 1, content: { parts: [{ text: 'Fine.' }] }, finishReason: 'STOP' },
    ],
  }),
  predict: predicts({
    candidates: [
      { author: '1', content: '' },
      { author: '1', content: 'Fine.' },
    ],
    safetyAttributes: [
      { blocked: true, errors: [253], categories: null, scores: null },
      { blocked: false, categories: null, scores: null },
    ],
  }),
};

const RAW = {
  gemini: responds(GROUNDED),
  predict: predicts(
    { candidates: [{ author: '1', content: 'Jupiter.' }], safetyAttributes: [{ blocked: false }] },
    {
      deployedModelId: 'the-deployed-id',
      model: 'the-resource-name',
      modelVersionId: '001',
      metadata: { tokenMetadata: { inputTokenCount: { totalTokens: 3 }, outputTokenCount: { totalTokens: 5 } } },
    },
  ),
};

describe.each(WIRES_AND_ROUTES)('on the %s wire (%s)', (wire: Wire, route) => {
  test('a blocked answer is told, and not kept: the history is as it was', async () => {
    await using scene = await startWires(REFUSED[wire]);
    const messageHistory = [{ author: 'bot', content: 'Welcome.' }];
    const path = await scene.client.session({ model: MODELS[wire], messageHistory });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi' });
    expect(turn).toMatchObject({ state: 'BLOCKED', isBlocked: true, blockReason: 'SAFETY' });
    expect(turn).not.toHaveProperty('messages');
    expect(await scene.client.history(path)).toEqual([['bot', 'Welcome.']]);
  });

  test('the first candidate that can be used is the answer, and alone in the history', async () => {
    await using scene = await startWires(HALF_REFUSED[wire]);
    const path = await scene.client.session({ model: MODELS[wire] });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi', candidateCount: 2 });
    expect(turn).toMatchObject({ state: 'COMMITTED', chosenCandidate: 1, text: 'Fine.', isBlocked: false });
    expect(turn.candidates).toMatchObject([{ isBlocked: true }, { isBlocked: false, text: 'Fine.' }]);
    expect((await scene.client.history(path)).at(-1)).toEqual(['bot', 'Fine.']);
  });
});

test.each([
  ['gemini', 'messages', ['the-response-id', 'avgLogprobs']],
  ['gemini', 'messages/stream', ['the-response-id', 'avgLogprobs']],
  ['predict', 'messages', ['the-deployed-id', 'the-resource-name']],
] as const)(
  'the raw answer is not passed on, but its tokens and its version are (%s, %s)',
  async (wire, route, raw) => {
    await using scene = await startWires(RAW[wire]);
    const path = await scene.client.session({ model: MODELS[wire] });
    const turn = await turnOf(scene.client, path, route, { message: 'Hi' });
    const [usage, modelVersion] =
      wire === 'gemini'
        ? [{ promptTokens: 3, outputTokens: 5, thoughtTokens: 2, totalTokens: 10 }, 'gemini-2.5-pro-001']
        : [{ promptTokens: 3, outputTokens: 5, totalTokens: 8 }, '001'];
    expect(turn).toMatchObject({ usage, modelVersion });
    for (const word of raw) expect(JSON.stringify(turn)).not.toContain(word);
  },
);
