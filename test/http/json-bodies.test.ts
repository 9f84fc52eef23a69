// JSON that costs more than its bytes, and JSON that would like to be more than data.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAsWritten } from '../../src/chat/json-as-written.ts';
import { shapeOf } from '../../src/http/json-shape.ts';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { answer, asJson, startUpstream } from '../support/upstream.ts';

const shape = (text: string) => shapeOf(Buffer.from(text));

describe('the shape of a text', () => {
  /** By what was parsed: one for the whole, one for every bracket and every comma. */
  function valuesIn(value: unknown): number {
    if (typeof value !== 'object' || value === null) return 0;
    const members = Object.values(value);
    return 1 + Math.max(0, members.length - 1) + members.reduce((sum: number, member) => sum + valuesIn(member), 0);
  }

  function depthOf(value: unknown): number {
    if (typeof value !== 'object' || value === null) return 0;
    return 1 + Math.max(0, ...Object.values(value).map(depthOf));
  }

  test('is that of what it says, whatever its strings hold', () => {
    const key = fc.string({ unit: fc.constantFrom('[', '{', ',', '"', '\\', '}', ']', '9', 'e', 'a', '\n') });
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.dictionary(key, key), (value, odd) => {
        const text = JSON.stringify({ value, odd });
        const parsed = parseAsWritten(text);
        const { depth, values } = shape(text);
        expect({ depth, values }).toEqual({ depth: depthOf(parsed), values: 1 + valuesIn(parsed) });
      }),
      { numRuns: 2000 },
    );
  });

  test('tells every number that no double can hold', () => {
    const digits = fc.stringMatching(/^[1-9][0-9]{0,320}$/);
    const exponent = fc.constantFrom('', 'e5', 'e308', 'E309', 'e+400', 'e-400', 'E+99999');
    fc.assert(
      fc.property(digits, exponent, (whole, power) => {
        const text = `[${whole}${power}]`;
        if (!Number.isFinite(JSON.parse(text)[0])) expect(shape(text).mayOverflow).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(shape('[true, false, null, 12.5, "1e999"]').mayOverflow).toBe(false);
  });
});

describe('a body', () => {
  let scene: ServiceScene;
  let send: string;
  beforeAll(async () => {
    scene = await startScene();
    send = `${await scene.client.session({})}/messages`;
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  const MEBI = 1024 * 1024;
  const many = (item: string) => `${`${item},`.repeat(Math.floor((19 * MEBI) / (item.length + 1)))}${item}`;
  const keys = () => Array.from({ length: 1_000_000 }, (_, i) => `"${i.toString(36)}":1`).join(',');

  test.each<[string, () => string]>([
    ['empty lists', () => `{"parts":[{"text":"a","x":[${many('[]')}]}]}`],
    ['empty objects', () => `{"message":"a","tools":[{"x":[${many('{}')}]}]}`],
    ['numbers', () => `{"message":"a","responseJsonSchema":{"x":[${many('1')}]}}`],
    ['lists within lists', () => `{"parts":[{"x":[${many(`${'['.repeat(50)}${']'.repeat(50)}`)}]}]}`],
    ['members', () => `{"parts":[{"text":"a","x":{${keys()}}}]}`],
    ['unknown fields', () => `{${keys()}}`],
  ])('of millions of %s is refused before it is read', async (_what, body) => {
    const { status, json } = await scene.client.post(send, body());
    expect([status, json.code]).toEqual([400, 'invalid_argument']);
    expect(json.detail).toContain('more than 200000 values');
  });

  test('of long numbers in its text is read in one go', async () => {
    // A search for three hundred digits that began anew at every digit took sixteen seconds for this.
    const body = JSON.stringify({ unknown: `${'1'.repeat(299)}a`.repeat(60_000) });
    const startedAt = performance.now();
    expect((await scene.client.post(send, body)).status).toBe(400);
    expect(performance.now() - startedAt).toBeLessThan(8000);
  });

  test('may begin with a byte order mark', async () => {
    expect((await scene.client.post('/v1/sessions', '\ufeff{"displayName":"marked"}')).json.displayName).toBe('marked');
    expect((await scene.client.post('/v1/sessions', '\ufeff\ufeff{}')).status).toBe(400);
  });

  test('of as many values as are allowed is taken, and of one more is not', async () => {
    await using narrow = await startScene({ JSON_VALUES_MAX: '1000' });
    // The whole, three brackets, and the commas between: two, and one less than the numbers.
    const bodyOf = (numbers: number) => ({
      responseMimeType: 'application/json',
      responseJsonSchema: { enum: new Array(numbers).fill(1) },
    });
    expect((await narrow.client.post('/v1/sessions', bodyOf(996))).status).toBe(201);
    const refused = await narrow.client.post('/v1/sessions', bodyOf(997));
    expect([refused.status, refused.json.errors]).toEqual([
      400,
      [{ path: '', message: 'holds more than 1000 values' }],
    ]);
  });

  test.each([
    '{"__proto__":{"polluted":1}}',
    '{"a":{"__proto__":{"polluted":1}}}',
    '{"a":[{"\\u005f_proto\\u005f\\u005f":{"polluted":1}}]}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":{"constr\\u0075ctor":{"prototype":{"polluted":1}}}}',
  ])('with %s where anything may be is refused, or no more than data', async (odd) => {
    for (const body of [
      `{"parts":[{"text":"a","x":${odd}}]}`,
      `{"message":"a","tools":[${odd}]}`,
      `{"message":"a","toolConfig":${odd}}`,
      `{"message":"a","responseMimeType":"application/json","responseJsonSchema":${odd}}`,
    ]) {
      expect((await scene.client.post(send, body)).json).toMatchObject({ status: 400, code: 'invalid_argument' });
    }
    const session = send.replace('/messages', '');
    expect((await scene.client.patch(session, `{"toolConfig":${odd}}`)).status).toBe(400);
    expect('polluted' in {}).toBe(false);
  });
});

test('an answer with such names is kept and told as the model gave it, and sent back to it', async () => {
  const args = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  const value = `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":${args}}}]},"finishReason":"STOP"}]}`;
  await using upstream = await startUpstream((response, call) => {
    if (upstream.calls.length > 1) return answer(response, call, 'Fine.');
    return asJson(response, 200, JSON.parse(value));
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, DEFAULT_MODEL: 'm' });
  const client = new Client(service.url);
  const path = await client.session({});
  expect((await client.post(`${path}/messages`, { message: 'Hi' })).text).toContain(args);
  expect((await client.get(`${path}/messages`)).text).toContain(args);
  const parts = [{ functionResponse: { name: 'f', response: {} } }];
  expect((await client.post(`${path}/messages`, { parts })).json.state).toBe('COMMITTED');
  expect(upstream.calls.at(-1)?.body).toContain(args);
  expect('polluted' in {}).toBe(false);
});
