// grounding_source: its three kinds with all their arguments, on both wires and both routes, and what comes of them.

import { describe, expect, test } from 'vitest';
import {
  MODELS,
  predicts,
  ROUTES,
  responds,
  says,
  startWires,
  tensorOf,
  turnOf,
  WIRES_AND_ROUTES,
  type Wire,
  type WireScene,
} from '../support/wires.ts';

/** What the newest request is grounded on, in the words of the wire. */
function groundingAsked({ asked }: WireScene, wire: Wire): unknown {
  if (wire === 'gemini') return asked.tools;
  return 'inputs' in asked ? asked.parameters?.structVal.groundingConfig : asked.parameters.groundingConfig;
}

const store = (project: string, location: string) =>
  `projects/${project}/locations/${location}/collections/default_collection/dataStores/films`;
const retrieval = (datastore: string) => [{ retrieval: { vertexAiSearch: { datastore } } }];
const search = (vertexAiSearchDatastore: string, disableAttribution: boolean) => {
  return { sources: [{ type: 'VERTEX_AI_SEARCH', vertexAiSearchDatastore }], disableAttribution };
};
const FILMS = { type: 'vertexAiSearch', dataStoreId: 'films', location: 'eu' };

const SOURCES: readonly [string, object, { readonly gemini: unknown; readonly predict: object }][] = [
  [
    'webSearch',
    { type: 'webSearch' },
    { gemini: [{ googleSearch: {} }], predict: { sources: [{ type: 'WEB' }], disableAttribution: false } },
  ],
  [
    'webSearch with disableAttribution',
    { type: 'webSearch', disableAttribution: true },
    { gemini: [{ googleSearch: {} }], predict: { sources: [{ type: 'WEB' }], disableAttribution: true } },
  ],
  [
    'vertexAiSearch with dataStoreId and location, in the project of the service',
    FILMS,
    { gemini: retrieval(store('test-project', 'eu')), predict: search(store('test-project', 'eu'), false) },
  ],
  [
    'vertexAiSearch with a project and disableAttribution',
    { ...FILMS, project: 'theirs', disableAttribution: true },
    { gemini: retrieval(store('theirs', 'eu')), predict: search(store('theirs', 'eu'), true) },
  ],
  [
    'inlineContext',
    { type: 'inlineContext', inlineContext: 'The Hobbit is of 1937.' },
    { gemini: undefined, predict: { sources: [{ type: 'INLINE', inlineContext: 'The Hobbit is of 1937.' }] } },
  ],
];

describe.each(SOURCES)('%s', (_name, groundingSource, wanted) => {
  test.each(WIRES_AND_ROUTES)(
    'grounds one message and no other, and is no part of the history (%s, %s)',
    async (wire, route) => {
      await using scene = await startWires(says([['Fine.']]));
      const path = await scene.client.session({ model: MODELS[wire] });
      expect(await turnOf(scene.client, path, route, { message: 'Hi', groundingSource })).toMatchObject({
        state: 'COMMITTED',
      });
      const isTensor = wire === 'predict' && route === 'messages/stream';
      expect(groundingAsked(scene, wire)).toEqual(isTensor ? tensorOf(wanted.predict) : wanted[wire]);
      await turnOf(scene.client, path, route, { message: 'And?' });
      expect(groundingAsked(scene, wire)).toBeUndefined();
      expect(JSON.stringify(scene.asked)).not.toContain('1937');
      expect(await scene.client.history(path)).toEqual([
        ['user', 'Hi'],
        ['bot', 'Fine.'],
        ['user', 'And?'],
        ['bot', 'Fine.'],
      ]);
    },
  );
});

describe('an inline context on the Gemini wire', () => {
  const groundingSource = { type: 'inlineContext', inlineContext: 'The Hobbit is of 1937.' };

  test.each(ROUTES)(
    'is said in the system instruction after the context, and the answer says so (%s)',
    async (route) => {
      await using scene = await startWires(says([['In '], ['1937.']]));
      const path = await scene.client.session({ model: MODELS.gemini, context: 'Be brief.' });
      const turn = await turnOf(scene.client, path, route, { message: 'When?', groundingSource });
      expect(scene.asked.systemInstruction.parts).toEqual([
        { text: 'Be brief.' },
        { text: 'Answer from the following context.\n\nThe Hobbit is of 1937.' },
      ]);
      const groundingMetadata = { citations: [], searchQueries: [], emulated: true };
      expect(turn).toMatchObject({ groundingMetadata, candidates: [{ groundingMetadata }] });
      const next = await turnOf(scene.client, path, route, { message: 'Sure?' });
      expect(next.groundingMetadata).toEqual({ citations: [], searchQueries: [] });
    },
  );

  test.each(ROUTES)(
    'is a grounding of the wire on the other one, and nothing is emulated there (%s)',
    async (route) => {
      await using scene = await startWires(says([['In 1937.']]));
      const path = await scene.client.session({ model: MODELS.predict, context: 'Be brief.' });
      const turn = await turnOf(scene.client, path, route, { message: 'When?', groundingSource });
      expect(turn.groundingMetadata).toEqual({ citations: [], searchQueries: [] });
    },
  );
});

const CITED = {
  gemini: responds({
    candidates: [
      {
        content: { parts: [{ text: 'In 1937.' }] },
        finishReason: 'STOP',
        groundingMetadata: {
          webSearchQueries: ['hobbit'],
          groundingChunks: [{ web: { uri: 'https://books' } }],
          groundingSupports: [{ segment: { endIndex: 8 }, groundingChunkIndices: [0] }],
        },
      },
    ],
  }),
  predict: predicts({
    candidates: [{ author: '1', content: 'In 1937.' }],
    safetyAttributes: [{ blocked: false, categories: null, scores: null }],
    groundingMetadata: [
      { citations: [{ startIndex: 0, endIndex: 8, url: 'https://books' }], searchQueries: ['hobbit'] },
    ],
  }),
};

describe.each(WIRES_AND_ROUTES)('a grounded answer on the %s wire (%s)', (wire, route) => {
  test('has the citations and search queries of the seed', async () => {
    await using scene = await startWires(CITED[wire]);
    const path = await scene.client.session({ model: MODELS[wire] });
    const turn = await turnOf(scene.client, path, route, { message: 'When?', groundingSource: { type: 'webSearch' } });
    const citations = [{ startIndex: 0, endIndex: 8, url: 'https://books' }];
    expect(turn.groundingMetadata).toMatchObject({ citations, searchQueries: ['hobbit'] });
    expect(turn.candidates[0].groundingMetadata).toEqual(turn.groundingMetadata);
  });
});

test.each(ROUTES)(
  'disableAttribution leaves the attribution out of the answer of a Gemini model (%s)',
  async (route) => {
    await using scene = await startWires(CITED.gemini);
    const path = await scene.client.session({ model: MODELS.gemini });
    const groundingSource = { type: 'webSearch', disableAttribution: true };
    const turn = await turnOf(scene.client, path, route, { message: 'When?', groundingSource });
    expect(turn).toMatchObject({ text: 'In 1937.', groundingMetadata: { citations: [], searchQueries: [] } });
    expect(JSON.stringify(turn)).not.toContain('https://books');
  },
);
