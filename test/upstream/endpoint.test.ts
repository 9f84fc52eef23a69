// Where a request goes: every backend, every form of a model's name, and that no name can lead anywhere else.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backend, type Method, methodUrl } from '../../src/adapters/upstream/endpoint.ts';
import { ChatError } from '../../src/chat/errors.ts';

function vertex(location: string, baseUrl?: string): Backend {
  return { kind: 'vertex', project: 'p', location, ...(baseUrl === undefined ? {} : { baseUrl }) };
}

function developer(baseUrl?: string): Backend {
  return { kind: 'gemini-api', apiKey: 'secret-key', ...(baseUrl === undefined ? {} : { baseUrl }) };
}

const emulator: Backend = { kind: 'emulator', address: '127.0.0.1:9', project: 'emulator', location: 'global' };
const ENDPOINT = 'projects/q/locations/eu/endpoints/123';

describe('the address of a model', () => {
  it.each<[string, Backend, string, string]>([
    [
      'regional',
      vertex('us-central1'),
      'gemini-2.5-flash',
      'https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash',
    ],
    [
      'global',
      vertex('global'),
      'g',
      'https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/g',
    ],
    [
      'us',
      vertex('us'),
      'g',
      'https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/publishers/google/models/g',
    ],
    [
      'eu',
      vertex('eu'),
      'g',
      'https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/g',
    ],
    [
      'base URL',
      vertex('eu', 'http://h:1/x'),
      'g',
      'http://h:1/x/v1/projects/p/locations/eu/publishers/google/models/g',
    ],
    [
      'base URL, slash',
      vertex('eu', 'http://h:1/x/'),
      'g',
      'http://h:1/x/v1/projects/p/locations/eu/publishers/google/models/g',
    ],
    [
      'publisher',
      vertex('eu', 'http://h'),
      'publishers/meta/models/llama-3',
      'http://h/v1/projects/p/locations/eu/publishers/meta/models/llama-3',
    ],
    ['endpoint', vertex('eu', 'http://h'), ENDPOINT, `http://h/v1/${ENDPOINT}`],
    ['emulator', emulator, 'g', 'http://127.0.0.1:9/v1/projects/emulator/locations/global/publishers/google/models/g'],
    ['emulator, endpoint', emulator, ENDPOINT, `http://127.0.0.1:9/v1/${ENDPOINT}`],
    [
      'Developer API',
      developer(),
      'gemini-2.5-pro',
      'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro',
    ],
    ['Developer API, base URL', developer('http://h:1'), 'g', 'http://h:1/v1beta/models/g'],
    ['Developer API, base URL, slashes', developer('http://h:1//'), 'g', 'http://h:1/v1beta/models/g'],
  ])('%s', (_name, backend, model, expected) => {
    expect(decodeURIComponent(methodUrl(backend, model, 'generateContent'))).toBe(`${expected}:generateContent`);
    expect(methodUrl(backend, model, 'streamGenerateContent')).toBe(
      methodUrl(backend, model, 'generateContent').replace(':generateContent', ':streamGenerateContent?alt=sse'),
    );
  });

  it('is on the host of the location that the model names, unless the deployment names a host', () => {
    const model = 'projects/q/locations/europe-west4/endpoints/123';
    expect(methodUrl(vertex('global'), model, 'predict')).toBe(
      `https://europe-west4-aiplatform.googleapis.com/v1/${model}:predict`,
    );
    expect(methodUrl(vertex('global', 'https://private'), model, 'predict')).toBe(
      `https://private/v1/${model}:predict`,
    );
  });

  it.each<[Method, string]>([
    ['generateContent', ''],
    ['streamGenerateContent', '?alt=sse'],
    ['predict', ''],
    ['serverStreamingPredict', '?alt=sse'],
    ['countTokens', ''],
  ])('ends with the method %s and its query', (method, query) => {
    expect(methodUrl(vertex('global'), 'g', method)).toMatch(new RegExp(`/g:${method}${query.replace('?', '[?]')}$`));
  });

  it('takes a version with @, as Vertex AI has them', () => {
    const { pathname } = new URL(methodUrl(vertex('global'), 'gemini-pro@002', 'generateContent'));
    expect(decodeURIComponent(pathname)).toMatch(/\/models\/gemini-pro@002:generateContent$/);
  });

  it('holds no key', () => {
    expect(methodUrl(developer(), 'g', 'generateContent')).not.toContain('secret-key');
  });

  it.each(['publishers/google/models/g', ENDPOINT])('is none on the Developer API for %s', (model) => {
    expect(codeOf(developer(), model)).toBe('unsupported_by_model');
  });

  it.each([
    '..',
    '.',
    'publishers/../models/g',
    'publishers/google/models/..',
    'projects/../../x',
    'projects/p//x',
    '',
    '\ud800',
    'projects/',
  ])('is none for %j, which would be another path', (model) => {
    for (const backend of [vertex('eu'), developer(), emulator])
      expect(codeOf(backend, model)).toBe('unsupported_by_model');
  });

  const nasty = fc.constantFrom(
    '/',
    '..',
    '.',
    '?',
    '#',
    '&',
    ':',
    '%2e%2e',
    '%2f',
    '\\',
    '@',
    '\n',
    '\t',
    ' ',
    '//',
    'é',
    'http:',
    '\0',
    ';',
  );
  const anyModel = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc
      .array(fc.oneof(nasty, fc.constantFrom('a', 'publishers/', 'projects/', 'models')), { maxLength: 8 })
      .map((it) => it.join('')),
  );

  it('is below the path of the backend, without a query of its own, whatever the model is called', () => {
    const roots: readonly [Backend, string, RegExp][] = [
      [vertex('eu'), 'https://aiplatform.eu.rep.googleapis.com', /^\/v1\/projects\//],
      [vertex('eu', 'http://h:1/x'), 'http://h:1', /^\/x\/v1\/projects\//],
      [developer(), 'https://generativelanguage.googleapis.com', /^\/v1beta\/models\/[^/]+$/],
      [emulator, 'http://127.0.0.1:9', /^\/v1\/projects\//],
    ];
    const methods: readonly [Method, string][] = [
      ['generateContent', ''],
      ['streamGenerateContent', '?alt=sse'],
    ];
    const body = fc.property(
      anyModel,
      fc.constantFrom(...roots),
      fc.constantFrom(...methods),
      (model, root, method) => {
        const [backend, origin, path] = root;
        const [name, query] = method;
        const text = urlOrCode(backend, model, name);
        if (text === 'unsupported_by_model') return;
        const url = new URL(text);
        expect({ origin: url.origin, search: url.search, hash: url.hash, user: url.username }).toEqual({
          origin,
          search: query,
          hash: '',
          user: '',
        });
        expect(url.pathname).toMatch(path);
        expect(url.pathname.endsWith(`:${name}`)).toBe(true);
        // What an URL parser makes of it is what was meant: no segment was folded away.
        expect(url.href).toBe(text);
        expect(decodeURIComponent(url.pathname)).toContain(model);
      },
    );
    fc.assert(body, { numRuns: 2000 });
  });
});

function urlOrCode(backend: Backend, model: string, method: Method = 'generateContent'): string {
  try {
    return methodUrl(backend, model, method);
  } catch (error) {
    if (error instanceof ChatError) return error.code;
    throw error;
  }
}

function codeOf(backend: Backend, model: string): string {
  return urlOrCode(backend, model);
}
