// POST …/turns/{turnId}/choose on two replicas: another answer goes into the history, and to the model as it was given.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  begunStream,
  FAILURES,
  held,
  historyText,
  type PlayedTurns,
  saysParts,
  startPlayed,
} from '../support/played-turns.ts';
import { MODELS, says, turnOf, WIRES_AND_ROUTES } from '../support/wires.ts';

let played: PlayedTurns;
beforeAll(async () => {
  played = await startPlayed();
});
afterAll(() => played[Symbol.asyncDispose]());

/** Three answers of a turn, as they come in chunks. */
const SAID = [
  ['zero ', 'one ', 'two '],
  ['0 ß', '1 😀', '2 \u2028'],
];
const WHOLE = ['zero 0 ß', 'one 1 😀', 'two 2 \u2028'];

/** What no careless hand may touch: a signature covers its whole part. */
const SIGNED = [
  [
    { text: 'thinking', thought: true },
    { text: 'zero', thoughtSignature: 'c2ln+/A=' },
  ],
  [
    { text: 'hm \u2028', thought: true, thoughtSignature: 'AA==' },
    { text: 'one 😀' },
    { text: '', thoughtSignature: 'ZW5k' },
  ],
  [{ executableCode: { language: 'PYTHON', code: 'print(1)\t' } }, { hologram: { depth: 1e-9 } }, { text: 'two' }],
];

const call = (name: string) => ({ functionCall: { name, args: { a: 1e21 } }, thoughtSignature: 'eA==' });
const response = (name: string) => ({ functionResponse: { name, response: { found: true } } });

/** A session whose newest turn has the answers that are played. */
async function answered(script = says(SAID), candidateCount = 3) {
  const session = await played.session();
  session.plays(script);
  const turn = (await played.here.post(`${session.path}/messages`, { message: 'Which?', candidateCount })).json;
  const turnPath = `${session.path}/turns/${turn.turnId}`;
  const choose = (candidate: unknown, headers = {}) => played.there.post(`${turnPath}/choose`, { candidate }, headers);
  return { ...session, session, turn, turnPath, choose };
}

describe('a choice', () => {
  test.each(WIRES_AND_ROUTES.flatMap(([wire, route]) => [1, 2].map((index) => [wire, route, index] as const)))(
    'on the wire of %s, of %s, of candidate %i: the history and the next request have that answer',
    async (wire, route, index) => {
      const { here, there } = played;
      const session = await played.session({}, MODELS[wire]);
      session.plays(says(SAID));
      const before = await turnOf(here, session.path, route, { message: 'Which?', candidateCount: 3 });
      expect(before.candidates.map(({ text }: { text: string }) => text)).toEqual(WHOLE);
      const turnPath = `${session.path}/turns/${before.turnId}`;
      const { status, json: turn } = await there.post(`${turnPath}/choose`, { candidate: index });
      expect(status).toBe(200);
      const { text, errors, safetyAttributes, groundingMetadata } = before.candidates[index];
      expect(turn).toEqual({
        ...{ ...before, text, errors, safetyAttributes, groundingMetadata },
        ...{ chosenCandidate: index, messages: [before.messages[0], turn.messages[1]], sessionVersion: 3 },
      });
      for (const client of [here, there]) expect((await client.get(turnPath)).json).toEqual(turn);
      const { messages } = (await here.get(`${session.path}/messages`)).json;
      expect(messages.map(({ id }: { id: string }) => id)).toEqual(turn.messages);
      expect(turn.messages[1]).not.toBe(before.messages[1]);
      expect(messages[1]).toMatchObject({ turnId: before.turnId, author: 'bot', content: WHOLE[index] });
      session.plays(says([['next']]));
      await here.post(`${session.path}/messages`, { message: 'And?' });
      const body = JSON.parse(session.calls.at(-1)?.body ?? '{}');
      const sent = wire === 'gemini' ? body.contents : body.instances[0].messages;
      expect(JSON.stringify(sent[1])).toContain(JSON.stringify(WHOLE[index]));
      expect(sent).toHaveLength(3);
    },
  );

  test.each(['messages', 'messages/stream'] as const)('of %s keeps every part byte for byte', async (route) => {
    const { here, there } = played;
    for (const index of [1, 2]) {
      const session = await played.session();
      session.plays(saysParts(...SIGNED));
      const turn = await turnOf(here, session.path, route, { message: 'Which?', candidateCount: 3 });
      await there.post(`${session.path}/turns/${turn.turnId}/choose`, { candidate: index });
      await here.post(`${session.path}/messages`, { message: 'And?' });
      expect(session.calls.at(-1)?.body).toContain(`"parts":${JSON.stringify(SIGNED[index])}`);
      expect(session.calls.at(-1)?.body).not.toContain(JSON.stringify(SIGNED[0]));
    }
  });

  test('can be made again and again, of each in turn', async () => {
    const { path, turn, choose } = await answered();
    const ids = new Set(turn.messages);
    for (const [n, index] of [1, 2, 0].entries()) {
      const { json } = await choose(index);
      expect(json).toMatchObject({ chosenCandidate: index, text: WHOLE[index], sessionVersion: 3 + n });
      ids.add(json.messages[1]);
      expect(await played.here.history(path)).toEqual([
        ['user', 'Which?'],
        ['bot', WHOLE[index]],
      ]);
    }
    expect(ids.size).toBe(5);
    expect((await played.here.get(path)).json).toMatchObject({ version: 5, messageCount: 2 });
  });

  test('makes what is said of its candidate what is said of the turn', async () => {
    const said = (text: string, probability: number) => ({
      content: { role: 'model', parts: [{ text }] },
      finishReason: 'STOP',
      safetyRatings: [{ category: 'C', probability: 'LOW', probabilityScore: probability }],
      groundingMetadata: { webSearchQueries: [text] },
    });
    const candidates = [said('zero', 0.25), said('one', 0.5)].map((one, index) => ({ index, ...one }));
    const { turn, choose, path, turnPath } = await answered((reply) => {
      reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ candidates }));
    }, 2);
    expect(turn).toMatchObject({ safetyAttributes: { C: 0.25 }, groundingMetadata: { searchQueries: ['zero'] } });
    const chosen = (await choose(1)).json;
    expect(chosen).toMatchObject({ safetyAttributes: { C: 0.5 }, groundingMetadata: { searchQueries: ['one'] } });
    // Also when the other candidates are gone.
    await played.here.post(`${path}/messages`, { message: 'And?' });
    expect((await played.here.get(turnPath)).json).toEqual({ ...chosen, candidates: [chosen.candidates[1]] });
  });

  test('of the chosen one changes nothing', async () => {
    const { path, turn, choose } = await answered();
    const before = [await historyText(played.here, path), (await played.here.get(path)).text];
    expect((await choose(turn.chosenCandidate)).json).toEqual(turn);
    await choose(1);
    const chosen = (await choose(1)).json;
    expect(chosen).toMatchObject({ chosenCandidate: 1, sessionVersion: 3 });
    expect((await choose(1)).json).toEqual(chosen);
    expect((await played.here.get(path)).json.version).toBe(3);
    expect(before[0]).not.toBe(await historyText(played.here, path));
  });

  test('decides which function calls are open', async () => {
    const { path, choose, session } = await answered(
      saysParts([{ text: 'text' }], [{ text: 'I call.' }, call('f')]),
      2,
    );
    const { here } = played;
    await choose(1);
    const refused = await here.post(`${path}/messages`, { message: 'And?' });
    expect([refused.status, refused.json.code]).toEqual([400, 'invalid_argument']);
    await choose(0);
    expect((await here.post(`${path}/messages`, { parts: [response('f')] })).status).toBe(400);
    await choose(1);
    expect((await here.post(`${path}/messages`, { parts: [response('f')] })).json.state).toBe('COMMITTED');
    expect(session.asked.map(({ parts }) => parts).slice(1)).toEqual([
      [{ text: 'I call.' }, call('f')],
      [response('f')],
    ]);
  });

  test('can be made when turns after it did not commit', async () => {
    const { path, session, choose } = await answered();
    const { here } = played;
    session.plays(FAILURES.FAILED, FAILURES.BLOCKED);
    for (const message of ['fails', 'is blocked']) await here.post(`${path}/messages`, { message });
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(here.stream(path, { message: 'is cancelled', turnId: 'half' }));
    await here.post(`${path}/turns/half/cancel`);
    await stream.done();
    expect((await choose(2)).json).toMatchObject({ chosenCandidate: 2, text: WHOLE[2] });
    expect(await here.history(path)).toHaveLength(2);
  });

  test('is made under the version that it names', async () => {
    const { path, choose } = await answered();
    const refused = await choose(1, { 'if-match': '"1"' });
    expect([refused.status, refused.json.code, refused.json.currentVersion]).toEqual([412, 'version_mismatch', 2]);
    expect((await choose(1, { 'if-match': '"2"' })).json).toMatchObject({ chosenCandidate: 1 });
    expect((await choose(2, { 'if-match': '"2"' })).status).toBe(412);
    expect((await choose(2, { 'if-match': '*' })).status).toBe(200);
    expect((await played.here.get(path)).json.version).toBe(4);
  });
});

describe('a choice is refused, and changes nothing', () => {
  async function unchanged(path: string, act: () => Promise<void>) {
    const before = [await historyText(played.here, path), (await played.here.get(path)).text];
    await act();
    expect([await historyText(played.there, path), (await played.there.get(path)).text]).toEqual(before);
  }

  test.each([
    ['a candidate that is not there', { candidate: 3 }, '/candidate'],
    ['a negative one', { candidate: -1 }, '/candidate'],
    ['half a one', { candidate: 0.5 }, '/candidate'],
    ['a text', { candidate: '1' }, '/candidate'],
    ['nothing', {}, '/candidate'],
    ['something else beside', { candidate: 1, turn: 'x' }, '/turn'],
  ])('for %s', async (_what, body, field) => {
    const { path, turnPath } = await answered();
    await unchanged(path, async () => {
      const { status, json } = await played.there.post(`${turnPath}/choose`, body);
      expect([status, json.code, json.errors[0].path]).toEqual([400, 'invalid_argument', field]);
    });
  });

  test('for an answer that is blocked, or was cut short', async () => {
    const blocked = {
      candidates: [
        { index: 0, content: { role: 'model', parts: [{ text: 'whole' }] }, finishReason: 'STOP' },
        { index: 1, content: { role: 'model', parts: [{ text: 'half' }] }, finishReason: 'SAFETY' },
        { index: 2, finishReason: 'STOP' },
      ],
    };
    const { path, turn, choose } = await answered((reply) => {
      reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(blocked));
    });
    expect(turn.candidates).toHaveLength(3);
    await unchanged(path, async () => {
      for (const index of [1, 2]) {
        const { status, json } = await choose(index);
        expect([status, json.errors[0].path]).toEqual([400, '/candidate']);
      }
    });
  });

  test('for the partial answer of a turn that was cancelled', async () => {
    const { here, there } = played;
    const session = await played.session();
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(here.stream(session.path, { message: 'x', turnId: 'half' }));
    await there.post(`${session.path}/turns/half/cancel`, { keep: 'partial' });
    await stream.done();
    await unchanged(session.path, async () => {
      const { status, json } = await there.post(`${session.path}/turns/half/choose`, { candidate: 0 });
      expect([status, json.errors[0].path]).toEqual([400, '/candidate']);
    });
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    ['another turn has committed', (path) => played.here.post(`${path}/messages`, { message: 'more' })],
    [
      'messages were imported',
      (path) => played.here.post(`${path}/messages/import`, { messages: [{ author: 'bot', content: 'x' }] }),
    ],
    ['its messages were removed', (path) => played.here.post(`${path}/rewind`, { toLength: 0 })],
    [
      'it was regenerated',
      async (path) => {
        const { messages } = (await played.here.get(`${path}/messages`)).json;
        await played.here.post(`${path}/turns/${messages[0].turnId}/regenerate`);
      },
    ],
  ])('when %s', async (_what, happens) => {
    const { path, choose } = await answered();
    await happens(path);
    await unchanged(path, async () => {
      const { status, json } = await choose(1);
      expect([status, json.code]).toEqual([409, 'not_latest_turn']);
    });
  });

  test('for a turn that is not in the history, that is not there, and without a session', async () => {
    const { path, session } = await answered();
    session.plays(FAILURES.FAILED);
    const { turnId } = (await played.here.post(`${path}/messages`, { message: 'fails' })).json;
    await unchanged(path, async () => {
      for (const [turn, status, code] of [
        [`${path}/turns/${turnId}`, 409, 'not_latest_turn'],
        [`${path}/turns/nobody`, 404, 'turn_not_found'],
        ['/v1/sessions/nobody/turns/nobody', 404, 'session_not_found'],
      ] as const) {
        const { status: got, json } = await played.there.post(`${turn}/choose`, { candidate: 0 });
        expect([got, json.code]).toEqual([status, code]);
      }
    });
  });

  test('of an older turn that is the last one again: only its chosen answer is left of it', async () => {
    const { path, choose } = await answered();
    await played.here.post(`${path}/messages`, { message: 'more' });
    await played.here.post(`${path}/rewind`, { toLength: 2 });
    await unchanged(path, async () => {
      expect((await choose(0)).status).toBe(200);
      expect((await choose(1)).json.errors[0].path).toBe('/candidate');
    });
  });
});
