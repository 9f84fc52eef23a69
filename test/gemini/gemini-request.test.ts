// What goes to the model: where each setting stands, what becomes of context, examples and history, and what is kept as it is.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wireRequest } from '../../src/adapters/gemini/gemini-request.ts';
import type { Content, Part } from '../../src/chat/content.ts';
import type { GroundingSource, ModelRequest } from '../../src/chat/language-model.ts';
import { type GenerationSettings, SETTING_NAMES } from '../../src/chat/settings.ts';

function user(...parts: readonly (string | Part)[]): Content {
  return { author: 'user', parts: parts.map((part) => (typeof part === 'string' ? { text: part } : part)) };
}

function bot(...parts: readonly (string | Part)[]): Content {
  return { ...user(...parts), author: 'bot' };
}

/** As the upstream reads it. */
function wire(given: Partial<ModelRequest> = {}, project?: string): Record<string, unknown> {
  const request = { model: 'm', examples: [], contents: [user('Hi')], settings: {}, ...given };
  return JSON.parse(Buffer.from(wireRequest(request, project === undefined ? {} : { project })).toString());
}

/** `[role, parts]` of the contents. */
function contentsOf(given: Partial<ModelRequest>) {
  const contents = wire(given).contents as { role: string; parts: Part[] }[];
  return contents.map(({ role, parts }) => [role, parts]);
}

const texts = (...said: readonly string[]): readonly Part[] => said.map((text) => ({ text }));

describe('the settings of a request', () => {
  it('leaves out everything that was not said', () => {
    expect(wire()).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] });
    expect(wire({ settings: { temperature: undefined } as unknown as GenerationSettings })).toEqual(wire());
  });

  const PLACES: { readonly [K in keyof Required<GenerationSettings>]: [GenerationSettings[K], 'config' | 'beside'] } = {
    temperature: [0, 'config'],
    topK: [3, 'config'],
    topP: [0, 'config'],
    maxOutputTokens: [1, 'config'],
    stopSequences: [[], 'config'],
    seed: [0, 'config'],
    presencePenalty: [-1.5, 'config'],
    frequencyPenalty: [0, 'config'],
    responseMimeType: ['application/json', 'config'],
    responseJsonSchema: [{ type: 'object', properties: { a: { $ref: '#/$defs/b' } } }, 'config'],
    thinkingConfig: [{ includeThoughts: true, thinkingBudget: -1 }, 'config'],
    safetySettings: [[{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'OFF' }], 'beside'],
    tools: [[{ functionDeclarations: [{ name: 'f', parametersJsonSchema: { type: 'object' } }] }], 'beside'],
    toolConfig: [{ functionCallingConfig: { mode: 'ANY' } }, 'beside'],
    labels: [{ team: 'a' }, 'beside'],
  };

  it.each(SETTING_NAMES)('%s stands where the wire has it, with its value unchanged', (name) => {
    const [value, place] = PLACES[name];
    const expected = place === 'config' ? { generationConfig: { [name]: value } } : { [name]: value };
    const { contents: _contents, ...rest } = wire({ settings: { [name]: value } });
    expect(rest).toEqual(expected);
  });

  it('candidateCount stands among them', () => {
    expect(wire({ candidateCount: 2, settings: { topK: 1 } }).generationConfig).toEqual({ topK: 1, candidateCount: 2 });
  });
});

describe('a search in the web', () => {
  const groundingSource: GroundingSource = { type: 'webSearch' };

  it('is asked for beside other tools', () => {
    const tools = [{ functionDeclarations: [{ name: 'f' }] }];
    expect(wire({ settings: { tools }, groundingSource }).tools).toEqual([...tools, { googleSearch: {} }]);
  });

  it('is asked for once, as it was asked for among the tools', () => {
    const tools = [{ googleSearch: { excludeDomains: ['a.example'] } }];
    expect(wire({ settings: { tools }, groundingSource }).tools).toEqual(tools);
  });
});

describe('the system instruction', () => {
  const source: GroundingSource = { type: 'inlineContext', inlineContext: 'The moon is cheese.' };

  it('is the context, and absent when that is empty', () => {
    expect(wire({ context: 'Be brief.' }).systemInstruction).toMatchObject({ parts: [{ text: 'Be brief.' }] });
    expect(wire({ context: '' })).not.toHaveProperty('systemInstruction');
  });

  it('holds inline context after the context, and nothing of it elsewhere', () => {
    const { systemInstruction, ...rest } = wire({ context: 'Be brief.', groundingSource: source });
    const { parts } = systemInstruction as { parts: { text: string }[] };
    expect(parts).toHaveLength(2);
    expect(parts[0]).toEqual({ text: 'Be brief.' });
    expect(parts[1]?.text).toContain('The moon is cheese.');
    expect(rest).toEqual(wire());
  });

  it('holds inline context alone when there is no context', () => {
    const { parts } = wire({ groundingSource: source }).systemInstruction as { parts: { text: string }[] };
    expect(parts.map(({ text }) => text).join()).toContain('The moon is cheese.');
    expect(parts).toHaveLength(1);
  });

  it('is absent when the inline context is empty', () => {
    expect(wire({ groundingSource: { type: 'inlineContext', inlineContext: '' } })).toEqual(wire());
  });
});

describe('grounding', () => {
  const store = (given: object = {}): GroundingSource => {
    return { type: 'vertexAiSearch', dataStoreId: 'd', location: 'eu', ...given };
  };
  const datastore = (path: string) => [{ retrieval: { vertexAiSearch: { datastore: path } } }];
  const collection = 'collections/default_collection/dataStores/d';

  it.each<[string, GroundingSource, unknown]>([
    ['web search', { type: 'webSearch' }, [{ googleSearch: {} }]],
    ['web search without attribution', { type: 'webSearch', disableAttribution: true }, [{ googleSearch: {} }]],
    ['a data store of our project', store(), datastore(`projects/ours/locations/eu/${collection}`)],
    ['one of another project', store({ project: 'p' }), datastore(`projects/p/locations/eu/${collection}`)],
  ])('%s is a tool', (_name, groundingSource, tools) => {
    expect(wire({ groundingSource }, 'ours').tools).toEqual(tools);
  });

  it('comes after the tools of the caller', () => {
    const own = { functionDeclarations: [{ name: 'f' }] };
    const { tools } = wire({ settings: { tools: [own] }, groundingSource: { type: 'webSearch' } });
    expect(tools).toEqual([own, { googleSearch: {} }]);
  });
});

describe('the contents', () => {
  it('are the history and the question, with the roles of the wire', () => {
    expect(contentsOf({ contents: [user('a'), bot('b'), user('c')] })).toEqual([
      ['user', texts('a')],
      ['model', texts('b')],
      ['user', texts('c')],
    ]);
  });

  it('begin with the examples, in pairs', () => {
    const examples = [
      { input: 'i1', output: 'o1' },
      { input: 'i2', output: 'o2' },
    ];
    expect(contentsOf({ examples, contents: [user('a')] })).toEqual([
      ['user', texts('i1')],
      ['model', texts('o1')],
      ['user', texts('i2')],
      ['model', texts('o2')],
      ['user', texts('a')],
    ]);
  });

  it('merge neighbours of one author without touching their parts', () => {
    const contents = [user('a'), user('b', 'c'), bot('d'), bot('e'), user('f')];
    expect(contentsOf({ contents })).toEqual([
      ['user', texts('a', 'b', 'c')],
      ['model', texts('d', 'e')],
      ['user', texts('f')],
    ]);
  });

  it('merge the output of the last example with a history that begins with the bot', () => {
    const examples = [{ input: 'i', output: 'o' }];
    expect(contentsOf({ examples, contents: [bot('b'), user('c')] })).toEqual([
      ['user', texts('i')],
      ['model', texts('o', 'b')],
      ['user', texts('c')],
    ]);
  });

  it('get a minimal user before a leading bot, which is not empty', () => {
    const [first, ...rest] = contentsOf({ contents: [bot('b'), user('c')] });
    expect(first?.[0]).toBe('user');
    expect(first?.[1]).toEqual([{ text: expect.stringMatching(/^.+$/) }]);
    expect(rest).toEqual([
      ['model', texts('b')],
      ['user', texts('c')],
    ]);
  });

  it('leave out what a model refuses, and a message of which nothing is left', () => {
    const nothing: Part[] = [
      { text: '' },
      {},
      { thought: true },
      { thoughtSignature: 'c2ln' },
      { text: '', thought: true },
    ];
    expect(contentsOf({ contents: [user('a'), bot(...nothing), user(...nothing, 'b', ...nothing)] })).toEqual([
      ['user', texts('a', 'b')],
    ]);
  });

  it('keep white space, which is a text', () => {
    expect(contentsOf({ contents: [user(' ')] })).toEqual([['user', texts(' ')]]);
  });

  it.each<[string, Part]>([
    ['a signed text', { text: 'a', thoughtSignature: 'AbC+/=\u00e9' }],
    ['an empty text that carries a signature', { text: '', thoughtSignature: 'c2ln' }],
    ['a signed call', { functionCall: { name: 'f', args: { n: 1e21, z: -0.1 } }, thoughtSignature: 'c2ln' }],
    ['a thought', { text: 'hm', thought: true }],
    ['an image', { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }],
    ['a file', { fileData: { mimeType: 'video/mp4', fileUri: 'gs://b/o' }, videoMetadata: { fps: 5 } }],
    ['a code result', { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1\n' } }],
    ['a field that nobody knows yet', { text: 'a', partMetadata: { '\u0000': [null] } }],
    ['a kind that nobody knows yet', { hologram: { depth: 3 } }],
    ['a field with a name of JavaScript', JSON.parse('{"text":"a","x":{"__proto__":{"y":1}}}')],
  ])('keep %s byte for byte, beside its neighbours', (_name, part) => {
    const body = JSON.stringify(wire({ contents: [user('q'), bot('before'), bot(part, 'after'), user('r')] }));
    const expected = `{"role":"model","parts":[{"text":"before"},${JSON.stringify(part)},{"text":"after"}]}`;
    expect(body).toContain(expected);
  });

  const aPart = fc.oneof<fc.Arbitrary<Part>[]>(
    fc.record({ text: fc.string({ maxLength: 4 }) }),
    fc.record({ text: fc.constantFrom('', 'a'), thoughtSignature: fc.constant('c2ln') }),
    fc.record({ thought: fc.constant(true), text: fc.constantFrom('', 'b') }),
    fc.constant({}),
    fc.record({ inlineData: fc.constant({ mimeType: 'a/b', data: 'AA==' }) }),
  );
  const aContent = fc.record({ author: fc.constantFrom('user' as const, 'bot' as const), parts: fc.array(aPart) });

  it('always alternate, begin with the user, hold no empty content, and lose no text', () => {
    const body = fc.property(fc.array(aContent, { maxLength: 12 }), (contents) => {
      const sent = contentsOf({ contents });
      sent.forEach(([role, parts], index) => {
        expect(role).toBe(index % 2 === 0 ? 'user' : 'model');
        expect(parts).not.toHaveLength(0);
      });
      const textOf = (parts: unknown) => (parts as Part[]).map(({ text }) => text ?? '').join('');
      const said = contents.map(({ parts }) => textOf(parts)).join('');
      expect([said, ` ${said}`]).toContain(sent.map(([, parts]) => textOf(parts)).join(''));
    });
    fc.assert(body, { numRuns: 300 });
  });

  it('never change what they were made of', () => {
    const contents = [user('a'), user('b'), bot('c'), user('d')];
    const before = structuredClone(contents);
    wire({ contents });
    expect(contents).toEqual(before);
  });
});
