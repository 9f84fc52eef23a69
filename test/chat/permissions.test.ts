// What callers may name: models by lists, projects in models, grounding and tools, and no credentials in tools.

import { describe, expect, it } from 'vitest';
import { isListed } from '../../src/chat/model-lists.ts';
import { type Naming, type Permissions, refusedNaming } from '../../src/chat/permissions.ts';

describe('a model', () => {
  it.each<[string, readonly string[], boolean]>([
    ['gemini-2.5-pro', ['gemini-2.5-pro'], true],
    ['gemini-2.5-pro', ['gemini-2.5-flash', 'gemini-2.5-p*'], true],
    ['gemini-2.5-pro', ['gemini-2.5'], false],
    ['gemini-2.5-pro', [], false],
    ['gemini-2.5-pro@001', ['gemini-2.5-pro'], false],
    ['Gemini-2.5-pro', ['gemini-2.5-pro'], false],
    ['publishers/google/models/gemini-2.5-pro', ['gemini-2.5-pro'], true],
    ['publishers/google/models/gemini-2.5-pro', ['gemini-*'], true],
    ['gemini-2.5-pro', ['publishers/google/models/gemini-2.5-pro'], true],
    ['gemini-2.5-pro', ['publishers/google/models/*'], true],
    ['gemini-2.5-pro', ['publishers/*'], true],
    ['publishers/anthropic/models/claude-x', ['claude-x', 'claude*'], false],
    ['publishers/anthropic/models/claude-x', ['publishers/google/models/*'], false],
    ['publishers/anthropic/models/claude-x', ['publishers/anthropic/*'], true],
    ['gemini-2.5-pro', ['*'], true],
    ['publishers/anthropic/models/claude-x', ['*'], true],
    ['projects/p/locations/eu/endpoints/1', ['*'], false],
    ['projects/p/locations/eu/endpoints/1', ['1', '1*', 'p*'], false],
    ['projects/p/locations/eu/endpoints/1', ['projects/p/locations/eu/endpoints/1'], true],
    ['projects/p/locations/eu/endpoints/1', ['projects/p/*'], true],
    ['projects/p2/locations/eu/endpoints/1', ['projects/p/*'], false],
    // It may be in another part of the world than the deployment.
    ['projects/p/locations/eu/publishers/google/models/gemini-2.5-pro', ['gemini-2.5-pro'], false],
  ])('%s on the list %j: %s', (model, list, is) => {
    expect(isListed(model, list)).toBe(is);
  });
});

describe('a request', () => {
  const permissions: Permissions = {
    modelListsOf: (owner) => (owner === 'narrow' ? [['g*'], ['good']] : [['g*']]),
    projects: new Set(['own', 'other:p']),
    fileUris: [],
  };
  const store = (project: string) => `projects/${project}/locations/eu/collections/default_collection/dataStores/d`;
  const retrieval = (value: object): Naming => ({ tools: [{ retrieval: value }] });
  const search = (project: string): Naming => {
    return { groundingSource: { type: 'vertexAiSearch', dataStoreId: 'd', location: 'eu', project } };
  };
  const prose = 'reads projects/foreign/things, with an authConfig';

  it.each<[string, Naming]>([
    ['nothing', {}],
    ['a listed model', { model: 'good' }],
    ['an own data store', search('own')],
    ['a listed project with a domain', search('other:p')],
    [
      'its own project without saying so',
      { groundingSource: { type: 'vertexAiSearch', dataStoreId: 'd', location: 'eu' } },
    ],
    ['an own data store in a tool', retrieval({ vertexAiSearch: { datastore: store('own') } })],
    [
      'tools that fetch with nobody’s rights',
      { tools: [{ googleSearch: {} }, { urlContext: {} }, { codeExecution: {} }] },
    ],
    [
      'functions that are called alike',
      {
        tools: [
          { functionDeclarations: [{ name: 'f', description: prose, parameters: { properties: { authConfig: {} } } }] },
        ],
      },
    ],
    ['no tools at all', { tools: null, toolConfig: null }],
  ])('that names %s is made', (_what, naming) => {
    expect(refusedNaming(naming, 'anyone', permissions)).toBeUndefined();
  });

  it.each<[string, Naming, string]>([
    ['a model of no list', { model: 'bad' }, 'The model bad may'],
    ['a model of another project', { model: 'projects/foreign/locations/eu/endpoints/1' }, 'model projects/foreign'],
    ['a data store of another project', search('foreign'), 'the project foreign'],
    ['whatever project there is', search('-'), 'the project -'],
    ['a foreign data store in a tool', retrieval({ vertexAiSearch: { datastore: store('foreign') } }), 'foreign'],
    [
      'the same in the other spelling',
      { tools: [{ retrieval: { vertex_ai_search: { data_store: store('foreign') } } }] },
      'foreign',
    ],
    [
      'a foreign engine',
      retrieval({ vertexAiSearch: { engine: 'projects/foreign/locations/eu/engines/e' } }),
      'foreign',
    ],
    [
      'one foreign store among others',
      retrieval({ vertexAiSearch: { dataStoreSpecs: [{ dataStore: store('own') }, { dataStore: store('foreign') }] } }),
      'foreign',
    ],
    [
      'a foreign corpus',
      retrieval({ vertexRagStore: { ragResources: [{ ragCorpus: 'projects/foreign/locations/eu/ragCorpora/1' }] } }),
      'foreign',
    ],
    ['a full resource name', { tools: [{ news: ['//aiplatform.googleapis.com/projects/foreign/x'] }] }, 'foreign'],
    [
      'a foreign project in the configuration of tools',
      { toolConfig: { retrievalConfig: { store: store('foreign') } } },
      'foreign',
    ],
    ['a project of no name', { tools: [{ news: 'projects/' }] }, 'the project '],
    ['an address for Google to call', retrieval({ externalApi: { endpoint: 'https://evil' } }), 'credentials'],
    ['the same in the other spelling', retrieval({ external_api: { endpoint: 'https://evil' } }), 'credentials'],
    ['a secret of the project', { tools: [{ googleMaps: { authConfig: { apiKeyConfig: {} } } }] }, 'credentials'],
    [
      'a secret beside functions',
      { tools: [{ functionDeclarations: [], news: [{ auth_config: {} }] }] },
      'credentials',
    ],
  ])('that names %s is forbidden, by name', (_what, naming, said) => {
    const refusal = refusedNaming(naming, 'anyone', permissions);
    expect(refusal?.code).toBe('forbidden');
    expect(refusal?.message).toContain(said);
  });

  it('may name what both lists have, the deployment’s and the owner’s', () => {
    const refused = (model: string) => refusedNaming({ model }, 'narrow', permissions)?.code;
    expect([refused('good'), refused('great'), refused('bad')]).toEqual([undefined, 'forbidden', 'forbidden']);
  });

  it('may name any project where there are no credentials to protect, but no secrets', () => {
    const open: Permissions = { modelListsOf: () => [], fileUris: [] };
    expect(
      refusedNaming({ model: 'projects/foreign/endpoints/1', ...search('foreign') }, 'anyone', open),
    ).toBeUndefined();
    expect(refusedNaming(retrieval({ externalApi: {} }), 'anyone', open)?.code).toBe('forbidden');
  });
});
