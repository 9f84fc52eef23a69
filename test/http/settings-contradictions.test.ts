// Settings that are right by themselves and exclude each other: refused where they meet, on a session or in a send.

import { describe, expect, test } from 'vitest';
import { MODELS, ROUTES, type RouteName, says, startWires, turnOf } from '../support/wires.ts';

const SCHEMA = { type: 'object', properties: { answer: { type: 'string' } } };
const JSON_TYPE = 'application/json';
const PLAIN = 'text/plain';

const NEEDS_JSON = { path: '/responseJsonSchema', message: expect.stringContaining('application/json') };
const EITHER = { path: '/thinkingConfig', message: expect.stringMatching(/thinkingBudget or thinkingLevel, not both/) };
const BOTH = { thinkingConfig: { thinkingBudget: 100, thinkingLevel: 'LOW' } };

interface Contradiction {
  readonly what: string;
  readonly session: object;
  readonly given: object;
  readonly error: object;
}

const IN_A_SEND: readonly Contradiction[] = [
  {
    what: 'a schema alone, since an answer is plain text where nothing is said',
    session: {},
    given: { responseJsonSchema: SCHEMA },
    error: NEEDS_JSON,
  },
  {
    what: 'a schema of the session that no type was said for',
    session: { responseJsonSchema: SCHEMA },
    given: {},
    error: NEEDS_JSON,
  },
  {
    what: 'a schema and plain text',
    session: {},
    given: { responseJsonSchema: SCHEMA, responseMimeType: PLAIN },
    error: NEEDS_JSON,
  },
  {
    what: 'a schema, when the session says plain text',
    session: { responseMimeType: PLAIN },
    given: { responseJsonSchema: SCHEMA },
    error: NEEDS_JSON,
  },
  {
    what: 'plain text, when the session has a schema',
    session: { responseJsonSchema: SCHEMA, responseMimeType: JSON_TYPE },
    given: { responseMimeType: PLAIN },
    error: NEEDS_JSON,
  },
  {
    what: 'a cleared type, when the session has a schema',
    session: { responseJsonSchema: SCHEMA, responseMimeType: JSON_TYPE },
    given: { responseMimeType: null },
    error: NEEDS_JSON,
  },
  { what: 'a budget and a level of thinking', session: {}, given: BOTH, error: EITHER },
];

describe.each(ROUTES)('a send (%s)', (route) => {
  test.each(IN_A_SEND)('is refused for $what', async ({ session, given, error }) => {
    await using scene = await startWires(says([['never']]));
    const path = await scene.client.session({ model: MODELS.gemini, ...session });
    const { status, json } = await scene.client.post(`${path}/${route}`, { message: 'Hi', ...given });
    expect({ status, code: json.code, errors: json.errors }).toEqual({
      status: 400,
      code: 'invalid_argument',
      errors: [error],
    });
    expect(scene.upstream.calls).toEqual([]);
    expect((await scene.client.get(path)).json).toMatchObject({ version: 1, messageCount: 0 });
    expect((await scene.client.get(path)).json).not.toHaveProperty('activeTurn');
  });
});

const IN_A_SESSION: readonly Contradiction[] = [
  {
    what: 'a schema and plain text',
    session: {},
    given: { responseJsonSchema: SCHEMA, responseMimeType: PLAIN },
    error: NEEDS_JSON,
  },
  {
    what: 'plain text, when it has a schema',
    session: { responseJsonSchema: SCHEMA },
    given: { responseMimeType: PLAIN },
    error: NEEDS_JSON,
  },
  { what: 'a budget and a level of thinking', session: {}, given: BOTH, error: EITHER },
  {
    what: 'a level of thinking, when it has a budget',
    session: { thinkingConfig: { thinkingBudget: 100 } },
    given: { thinkingConfig: { thinkingLevel: 'LOW' } },
    error: EITHER,
  },
];

describe('a session', () => {
  test.each(IN_A_SESSION.filter(({ session }) => Object.keys(session).length === 0))(
    'is not made with $what',
    async ({ given, error }) => {
      await using scene = await startWires(says([['never']]));
      const { json } = await scene.client.post('/v1/sessions', { id: 'it', model: MODELS.gemini, ...given });
      expect(json).toMatchObject({ status: 400, code: 'invalid_argument', errors: [error] });
      expect((await scene.client.get('/v1/sessions/it')).status).toBe(404);
    },
  );

  test.each(IN_A_SESSION)('cannot be changed to $what', async ({ session, given, error }) => {
    await using scene = await startWires(says([['never']]));
    const path = await scene.client.session({ model: MODELS.gemini, ...session });
    const { text: before } = await scene.client.get(path);
    expect((await scene.client.patch(path, given)).json).toMatchObject({
      status: 400,
      code: 'invalid_argument',
      errors: [error],
    });
    expect((await scene.client.get(path)).text).toBe(before);
  });

  test('can be changed from one to the other, when the one is taken away', async () => {
    await using scene = await startWires(says([['Fine.']]));
    const path = await scene.client.session({ model: MODELS.gemini, thinkingConfig: { thinkingBudget: 100 } });
    const patch = { thinkingConfig: { thinkingBudget: null, thinkingLevel: 'LOW' } };
    expect((await scene.client.patch(path, patch)).json.thinkingConfig).toEqual({ thinkingLevel: 'LOW' });
    await scene.client.post(`${path}/messages`, { message: 'Hi' });
    expect(scene.asked.generationConfig).toEqual({ thinkingConfig: { thinkingLevel: 'LOW' } });
  });

  test('cannot grow more labels than it could be made with', async () => {
    await using scene = await startWires(says([['never']]));
    const labels = (name: string) => Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${name}${i}`, 'x']));
    const path = await scene.client.session({ model: MODELS.gemini, labels: labels('a') });
    const { json } = await scene.client.patch(path, { labels: labels('b') });
    expect(json).toMatchObject({ status: 400, errors: [{ path: '/labels', message: expect.stringContaining('64') }] });
  });
});

/** What looks like a contradiction and is none, since a send replaces a field whole or completes what is there. */
const MEETINGS: readonly [string, object, object, object][] = [
  [
    'a level of thinking in place of the budget of the session',
    { thinkingConfig: { thinkingBudget: 100 } },
    { thinkingConfig: { thinkingLevel: 'LOW' } },
    { thinkingConfig: { thinkingLevel: 'LOW' } },
  ],
  [
    'the type that the schema of the session needs',
    { responseJsonSchema: SCHEMA },
    { responseMimeType: JSON_TYPE },
    { responseJsonSchema: SCHEMA, responseMimeType: JSON_TYPE },
  ],
  [
    'a schema for the type of the session',
    { responseMimeType: JSON_TYPE },
    { responseJsonSchema: SCHEMA },
    { responseJsonSchema: SCHEMA, responseMimeType: JSON_TYPE },
  ],
  [
    'no schema, and so plain text',
    { responseJsonSchema: SCHEMA, responseMimeType: JSON_TYPE },
    { responseJsonSchema: null, responseMimeType: PLAIN },
    { responseMimeType: PLAIN },
  ],
];

const MEETINGS_ON = MEETINGS.flatMap((meeting) =>
  ROUTES.map((route): [...typeof meeting, RouteName] => [...meeting, route]),
);

test.each(MEETINGS_ON)('a send may bring %s', async (_what, session, given, generationConfig, route) => {
  await using scene = await startWires(says([['Fine.']]));
  const path = await scene.client.session({ model: MODELS.gemini, ...session });
  expect(await turnOf(scene.client, path, route, { message: 'Hi', ...given })).toMatchObject({ state: 'COMMITTED' });
  expect(scene.asked.generationConfig).toEqual(generationConfig);
});
