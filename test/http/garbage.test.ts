// Whatever is thrown at it: the contract's problem each time, nothing stored, nothing logged above info.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../support/client.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';

let scene: ServiceScene;
beforeAll(async () => {
  scene = await startScene({ BODY_LIMIT_BYTES: '100000', SMALL_BODY_LIMIT_BYTES: '2000' });
  await scene.client.session({ id: 'there' });
});
afterAll(async () => {
  const { json } = await scene.client.get('/v1/sessions');
  expect(json.sessions.map(({ id, version }: { id: string; version: number }) => [id, version])).toEqual([
    ['there', 1],
  ]);
  const levels = [...scene.service.log().matchAll(/"level":(\d+)/g)].map(([, level]) => Number(level));
  expect(Math.max(...levels)).toBe(30);
  await scene[Symbol.asyncDispose]();
});

interface Refusal {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly code: string;
  readonly fields?: readonly string[];
}

const bad = (what: string, body: unknown, fields: readonly string[], path = '/v1/sessions'): Refusal => {
  return { what, path, body, fields, status: 400, code: 'invalid_argument' };
};
const SEND = '/v1/sessions/there/messages';
const nested = (levels: number) => `{"responseJsonSchema":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`;

const REFUSALS: readonly Refusal[] = [
  bad('a number that only infinity could hold', '{"temperature":1e400}', ['']),
  bad('such a number where nobody looks', '{"parts":[{"videoMetadata":{"fps":1e999}}]}', [''], SEND),
  {
    what: 'a compressed body',
    path: SEND,
    body: new Uint8Array([31, 139, 8]),
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    code: 'unsupported_media_type',
  },
  bad('an unknown field', { temprature: 1 }, ['/temprature']),
  bad('every wrong type at once', { model: 7, temperature: 'hot', examples: 'none', ttl: 1.5 }, [
    '/model',
    '/temperature',
    '/examples',
    '/ttl',
  ]),
  bad('a number as text', { maxOutputTokens: '5' }, ['/maxOutputTokens']),
  bad('numbers out of range', { topK: 0, topP: 1.1, maxOutputTokens: 0, temperature: -1 }, [
    '/topK',
    '/topP',
    '/maxOutputTokens',
    '/temperature',
  ]),
  bad('settings that no session holds', { candidateCount: 2, groundingSource: {} }, [
    '/candidateCount',
    '/groundingSource',
  ]),
  bad('a nested unknown field', { examples: [{ input: 'a', output: 'b', note: 'c' }] }, ['/examples/0/note']),
  bad('both content and parts', { messageHistory: [{ author: 'bot', content: 'a', parts: [{ text: 'b' }] }] }, [
    '/messageHistory/0',
  ]),
  bad('a stranger as author', { messageHistory: [{ author: 'system', content: 'a' }] }, ['/messageHistory/0/author']),
  bad('an id with a slash', { id: 'a/b' }, ['/id']),
  bad('an id with braces', { id: '{x}' }, ['/id']),
  bad('an id with a line end', { id: 'a\nb' }, ['/id']),
  bad('an id of 129 characters', { id: 'x'.repeat(129) }, ['/id']),
  bad('a model that would change the URL', { model: '../../evil?x=1' }, ['/model']),
  bad('a model with two dots', { model: 'a..b' }, ['/model']),
  bad('a model with a colon', { model: 'a:generateContent' }, ['/model']),
  bad('metadata that is too long', { metadata: { ['k'.repeat(65)]: 'v', b: 'x'.repeat(513) } }, ['/metadata/b']),
  bad('neither message nor parts', {}, [''], SEND),
  bad('both message and parts', { message: 'a', parts: [{ text: 'b' }] }, [''], SEND),
  bad('an empty message', { message: '' }, ['/message'], SEND),
  bad('empty parts', { parts: [{}] }, ['/parts/0'], SEND),
  bad('only empty text', { parts: [{ text: '' }] }, ['/parts'], SEND),
  bad('a part that only a model may say', { parts: [{ functionCall: { name: 'f' } }] }, ['/parts/0'], SEND),
  bad(
    'a response that nobody asked for',
    { parts: [{ functionResponse: { name: 'f', response: {} } }] },
    ['/parts'],
    SEND,
  ),
  bad('a response mixed with text', { parts: [{ functionResponse: { name: 'f' } }, { text: 'x' }] }, ['/parts'], SEND),
  bad('a busy policy of another name', { message: 'a', onBusy: 'maybe' }, ['/onBusy'], SEND),
  bad('onDisconnect where nothing is streamed', { message: 'a', onDisconnect: 'cancel' }, ['/onDisconnect'], SEND),
  bad(
    'a grounding source of another kind',
    { message: 'a', groundingSource: { type: 'magic' } },
    ['/groundingSource'],
    SEND,
  ),
  bad('a turn id outside the alphabet', { message: 'a', turnId: 'a b' }, ['/turnId'], SEND),
  bad('a list as body', [], ['']),
  bad('text as body', '"hello"', ['']),
  bad('null as body', 'null', ['']),
  bad('no body', undefined, ['']),
  bad('half a JSON', '{"model":', ['']),
  bad('two JSONs', '{}{}', ['']),
  bad('bytes that are not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), ['']),
  bad('__proto__', '{"metadata":{"__proto__":{"x":"y"}}}', ['']),
  bad('constructor.prototype', '{"metadata":{"constructor":{"prototype":{"x":"y"}}}}', ['']),
  bad('JSON that is too deep', nested(64), ['']),
  bad('JSON that is far too deep', '['.repeat(90_000), ['']),
  { ...bad('an unknown query parameter', {}, ['colour'], '/v1/sessions?colour=red') },
  { ...bad('a page of nothing', undefined, ['pageSize'], '/v1/sessions?pageSize=0'), method: 'GET' },
  { ...bad('a page of 201', undefined, ['pageSize'], '/v1/sessions?pageSize=201'), method: 'GET' },
  { ...bad('a page of words', undefined, ['pageSize'], '/v1/sessions?pageSize=many'), method: 'GET' },
  { ...bad('a page size given twice', undefined, ['pageSize'], '/v1/sessions?pageSize=1&pageSize=2'), method: 'GET' },
  { ...bad('another order', undefined, ['order'], `${SEND}?order=up`), method: 'GET' },
  { ...bad('an id with braces in the path', undefined, ['sessionId'], '/v1/sessions/%7Bx%7D'), method: 'GET' },
  { ...bad('an id with a line end in the path', undefined, ['sessionId'], '/v1/sessions/a%0Ab'), method: 'GET' },
  { ...bad('an id with a zero byte in the path', undefined, ['sessionId'], '/v1/sessions/a%00'), method: 'GET' },
  {
    ...bad('an id of 129 characters in the path', undefined, ['sessionId'], `/v1/sessions/${'x'.repeat(129)}`),
    method: 'GET',
  },
  {
    ...bad(
      'a patch of what cannot change',
      { id: 'x', version: 3, messageHistory: [] },
      ['/id', '/version', '/messageHistory'],
      '/v1/sessions/there',
    ),
    method: 'PATCH',
  },
  { ...bad('a patch that removes the model', { model: null }, ['/model'], '/v1/sessions/there'), method: 'PATCH' },
  {
    what: 'a malformed escape in the path',
    method: 'GET',
    path: '/v1/sessions/%zz',
    status: 400,
    code: 'invalid_argument',
  },
  {
    what: 'a path that is too long',
    method: 'GET',
    path: `/v1/sessions/${'x'.repeat(9000)}`,
    status: 414,
    code: 'uri_too_long',
  },
  {
    what: 'a body over the limit',
    path: SEND,
    body: { message: 'x'.repeat(200_000) },
    status: 413,
    code: 'payload_too_large',
  },
  {
    what: 'a chunked body over the limit',
    path: SEND,
    body: { message: 'x'.repeat(200_000) },
    headers: { 'transfer-encoding': 'chunked' },
    status: 413,
    code: 'payload_too_large',
  },
  {
    what: 'a form',
    path: SEND,
    body: 'message=x',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'plain text',
    path: SEND,
    body: 'hello',
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'a merge patch where nothing is patched',
    path: SEND,
    body: { message: 'x' },
    headers: { 'content-type': 'application/merge-patch+json' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'a reader of HTML',
    path: SEND,
    body: { message: 'x' },
    headers: { accept: 'text/html' },
    status: 406,
    code: 'not_acceptable',
  },
  {
    what: 'a reader of anything but JSON',
    method: 'GET',
    path: '/v1/sessions',
    headers: { accept: 'application/json;q=0, */*' },
    status: 406,
    code: 'not_acceptable',
  },
  {
    what: 'an unknown session',
    path: '/v1/sessions/nope/messages',
    body: { message: 'x' },
    status: 404,
    code: 'session_not_found',
  },
  { what: 'an unknown path', method: 'GET', path: '/v1/nothing', status: 404, code: 'not_found' },
  { what: 'the root', method: 'GET', path: '/', status: 404, code: 'not_found' },
];

test.each(REFUSALS)(
  '$what is $status $code',
  async ({ method = 'POST', path = '', body, headers, status, code, fields }) => {
    const answer = await send(`${scene.service.url}${path}`, method, {
      ...(body === undefined ? {} : { body }),
      ...(headers ? { headers } : {}),
    });
    expect(answer.json).toMatchObject({ status, code });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    for (const member of ['type', 'title', 'detail']) expect(answer.json[member]).toEqual(expect.any(String));
    if (fields) {
      const named: string[] = answer.json.errors.map((error: { path: string }) => error.path);
      expect(fields.filter((field) => !named.includes(field))).toEqual([]);
    }
  },
);

describe('every path', () => {
  const ALLOWED = {
    '/v1/sessions': ['GET', 'POST'],
    '/v1/sessions/there': ['DELETE', 'GET', 'PATCH'],
    '/v1/sessions/there/messages': ['GET', 'POST'],
    '/v1/sessions/there/messages/stream': ['POST'],
    '/v1/sessions/there/turns/t': ['GET'],
    '/livez': ['GET'],
    '/readyz': ['GET'],
    '/openapi.yaml': ['GET'],
  };

  test.each(Object.entries(ALLOWED))('%s takes its methods and names them to others', async (path, allowed) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      if (allowed.includes(method)) continue;
      const answer = await send(`${scene.service.url}${path}`, method);
      expect([method, answer.status]).toEqual([method, 405]);
      expect(answer.headers.allow?.split(', ').sort()).toEqual(allowed);
    }
  });
});

test('a client that is still writing a body that is too large can read why', async () => {
  const body = `{"message":"${'x'.repeat(33 * 1024 * 1024)}"}`;
  for (let i = 0; i < 3; i += 1) {
    const answer = await send(`${scene.service.url}${SEND}`, 'POST', { body });
    expect(answer.json).toMatchObject({ status: 413, code: 'payload_too_large' });
  }
});

test.each([
  ['messageHistory', '{}'],
  ['stopSequences', '1'],
  ['tools', '1'],
])('a large body with nothing but wrong %s is refused as quickly as a small one', async (field, item) => {
  await using roomy = await startScene();
  const body = `{"${field}":[${new Array(1_000_000).fill(item).join()}]}`;
  const startedAt = performance.now();
  const answer = await send(`${roomy.service.url}/v1/sessions`, 'POST', { body });
  expect(answer.json).toMatchObject({ status: 400, code: 'invalid_argument' });
  // It took tens of seconds and gigabytes when every error of every item was collected.
  expect(performance.now() - startedAt).toBeLessThan(5000);
});
