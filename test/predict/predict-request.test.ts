// What goes to a model of the legacy wire, where the recorded requests leave something open; those are in vectors/.

import { describe, expect, it } from 'vitest';
import {
  checkSupported,
  instanceOf,
  parametersOf,
  predictBody,
  streamingBody,
} from '../../src/adapters/predict/predict-request.ts';
import { ChatError } from '../../src/chat/errors.ts';
import type { GroundingSource, ModelRequest, SaidContent } from '../../src/chat/language-model.ts';
import type { GenerationSettings } from '../../src/chat/settings.ts';

const NONE = { project: undefined };

function asked(given: Partial<ModelRequest> = {}): ModelRequest {
  return { model: 'chat-bison', examples: [], contents: [said('user', 'Hi')], settings: {}, ...given };
}

function said(author: 'user' | 'bot', ...texts: readonly string[]): SaidContent {
  return { author, parts: texts.map((text) => ({ text })) };
}

function refusal(given: Partial<ModelRequest>): ChatError | undefined {
  try {
    checkSupported(asked(given));
    return undefined;
  } catch (error) {
    if (error instanceof ChatError) return error;
    throw error;
  }
}

describe('the instance', () => {
  it('holds nothing that was not said', () => {
    expect(instanceOf(asked({ context: '' }))).toEqual({ messages: [{ author: 'user', content: 'Hi' }] });
  });

  it('has the whole history before the question', () => {
    const contents = [said('user', 'One', ' and two'), said('bot', 'Three'), said('user', '?')];
    expect(instanceOf(asked({ contents })).messages).toEqual([
      { author: 'user', content: 'One and two' },
      { author: 'bot', content: 'Three' },
      { author: 'user', content: '?' },
    ]);
  });

  it('begins with a user, as the wire wants it, when the history does not, and when there is none', () => {
    const contents = [said('bot', 'Welcome!'), said('user', '?')];
    expect(instanceOf(asked({ contents })).messages).toEqual([
      { author: 'user', content: ' ' },
      { author: 'bot', content: 'Welcome!' },
      { author: 'user', content: '?' },
    ]);
    expect(instanceOf(asked({ contents: [] })).messages).toEqual([{ author: 'user', content: ' ' }]);
  });

  it('joins neighbours of one author, since the wire wants them in turn', () => {
    const contents = [said('user', 'a'), said('user', 'b'), said('bot', 'c'), said('bot', 'd'), said('user', 'e')];
    expect(instanceOf(asked({ contents })).messages).toEqual([
      { author: 'user', content: 'a\nb' },
      { author: 'bot', content: 'c\nd' },
      { author: 'user', content: 'e' },
    ]);
  });

  it('leaves out what another model only thought, and its signatures', () => {
    const parts = [{ text: 'hm', thought: true }, { text: 'Yes.' }, { text: '', thoughtSignature: 'c2ln' }];
    const contents = [said('user', 'Sure?'), { author: 'bot', parts } as const, said('user', 'Why?')];
    expect(instanceOf(asked({ contents })).messages[1]).toEqual({ author: 'bot', content: 'Yes.' });
  });

  it('does not silently leave out what is no text', () => {
    const parts = [
      { text: 'Look: ' },
      { inlineData: { mimeType: 'image/png', data: 'AA==' }, thoughtSignature: 'c2ln' },
    ];
    const contents = [said('user', 'Draw.'), { author: 'bot', parts } as const, said('user', 'Nice.')];
    expect(() => instanceOf(asked({ contents }))).toThrow(/inlineData/);
  });
});

describe('the parameters', () => {
  it('are empty for a plain call, and absent for a plain stream', () => {
    expect(predictBody(asked(), NONE)).toEqual({ instances: [instanceOf(asked())], parameters: {} });
    expect(streamingBody(asked(), NONE)).not.toHaveProperty('parameters');
  });

  it('take a temperature and a topP of 0 for values, and no stop sequences for none', () => {
    const settings = { temperature: 0, topP: 0, stopSequences: [] };
    expect(parametersOf(asked({ settings }), NONE)).toEqual({ temperature: 0, topP: 0 });
  });

  it('pass on what the text models of the family know', () => {
    const settings = { seed: 7, presencePenalty: 0.5, frequencyPenalty: -0.5 };
    expect(parametersOf(asked({ settings }), NONE)).toEqual(settings);
  });

  const SEARCH: GroundingSource = { type: 'vertexAiSearch', dataStoreId: 'ds', location: 'eu' };
  it.each<[string, GroundingSource, string]>([
    ['the project of the source', { ...SEARCH, project: 'theirs' }, 'theirs'],
    ['else the project of the service', SEARCH, 'ours'],
  ])('name a data store by %s', (_fact, groundingSource, project) => {
    expect(parametersOf(asked({ groundingSource }), { project: 'ours' })).toEqual({
      groundingConfig: {
        sources: [
          {
            type: 'VERTEX_AI_SEARCH',
            vertexAiSearchDatastore: `projects/${project}/locations/eu/collections/default_collection/dataStores/ds`,
          },
        ],
        disableAttribution: false,
      },
    });
  });

  it('say disableAttribution always for a search, and never for an inline context', () => {
    const config = (groundingSource: GroundingSource) => parametersOf(asked({ groundingSource }), NONE).groundingConfig;
    expect(config({ type: 'webSearch', disableAttribution: true })).toHaveProperty('disableAttribution', true);
    expect(config({ ...SEARCH, disableAttribution: true })).toHaveProperty('disableAttribution', true);
    expect(config({ type: 'inlineContext', inlineContext: 'Mars.' })).not.toHaveProperty('disableAttribution');
  });
});

describe('before any call', () => {
  it.each<[string, GenerationSettings]>([
    ['responseMimeType', { responseMimeType: 'application/json' }],
    ['responseJsonSchema', { responseJsonSchema: {} }],
    ['thinkingConfig', { thinkingConfig: {} }],
    ['safetySettings', { safetySettings: [] }],
    ['tools', { tools: [] }],
    ['toolConfig', { toolConfig: {} }],
    ['labels', { labels: {} }],
  ])('%s is refused by name, since the wire has no place for it', (name, settings) => {
    const error = refusal({ settings });
    expect(error).toMatchObject({ code: 'unsupported_by_model', retryable: false });
    expect(error?.message).toContain(name);
  });

  it('a question that is no text is refused', () => {
    const contents = [{ author: 'user', parts: [{ fileData: { fileUri: 'gs://b/x.png' } }] } as const];
    expect(refusal({ contents })).toMatchObject({ code: 'unsupported_by_model' });
  });

  it('everything that the seed could say is taken', () => {
    const settings = { temperature: 0.1, maxOutputTokens: 5, topK: 1, topP: 0.5, stopSequences: ['x'] };
    expect(refusal({ settings, candidateCount: 2, groundingSource: { type: 'webSearch' } })).toBeUndefined();
  });
});
