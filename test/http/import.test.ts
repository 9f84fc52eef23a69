// POST …/messages/import on two replicas: what was said elsewhere follows, all or nothing, and the model takes it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signed } from '../../src/emulator/gemini/signature.ts';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import type { Client } from '../support/client.ts';
import { begunStream, held, historyText, type PlayedTurns, saysParts, startPlayed } from '../support/played-turns.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { answer } from '../support/upstream.ts';

const LIMIT = 12;

let played: PlayedTurns;
let emulator: Emulator;
/** In front of the emulator, which refuses what Vertex AI would refuse. */
let strict: Replicas;
beforeAll(async () => {
  played = await startPlayed({ HISTORY_MESSAGES_MAX: String(LIMIT), HISTORY_BYTES_MAX: '8192' });
  emulator = await startEmulator({ chunkDelayMs: 0 });
  strict = await startReplicas((response, call) => answer(response, call, 'never'), {
    env: { VERTEX_AI_EMULATOR_HOST: emulator.address },
  });
});
afterAll(async () => {
  await played[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
  await emulator.close();
});

const user = (content: string) => ({ author: 'user', content });
const bot = (content: string) => ({ author: 'bot', content });
const call = (name = 'f') => ({ functionCall: { name, args: {} } });
const response = (name = 'f') => ({ functionResponse: { name, response: { found: true } } });

function bring(
  client: Client,
  path: string,
  messages: readonly object[],
  headers: Readonly<Record<string, string>> = {},
) {
  return client.post(`${path}/messages/import`, { messages }, headers);
}

const texts = async (path: string) => (await played.here.history(path)).map(([, content]) => content);

describe('an import', () => {
  test('appends its messages, each with an id and a time and without a turn, in one version', async () => {
    const { here, there } = played;
    const { path } = await played.session();
    await here.post(`${path}/messages`, { message: 'Hi' });
    const before = (await here.get(path)).json;
    const at = Date.now();
    const parts = [{ text: 'a' }, { inlineData: { mimeType: 'image/png', data: 'AA==' } }, { text: 'b' }];
    const { status, json, headers } = await bring(there, path, [user('one'), { author: 'bot', parts }]);
    expect(status).toBe(200);
    expect(json).toMatchObject({ version: 3, messageCount: 4, usage: before.usage });
    expect(headers.etag).toBe('"3"');
    expect((await here.get(path)).json).toEqual(json);
    const { messages } = (await here.get(`${path}/messages`)).json;
    expect(messages.slice(2)).toEqual([
      {
        id: messages[2].id,
        author: 'user',
        content: 'one',
        parts: [{ text: 'one' }],
        createTime: messages[2].createTime,
      },
      { id: messages[3].id, author: 'bot', content: 'ab', parts, createTime: messages[3].createTime },
    ]);
    expect(new Set(messages.map(({ id }: { id: string }) => id)).size).toBe(4);
    for (const { createTime } of messages.slice(2)) expect(Date.parse(createTime)).toBeGreaterThanOrEqual(at - 1);
  });

  test('takes the names that other services have for the bot', async () => {
    const { here, there } = played;
    const { path } = await played.session();
    const authors = ['model', 'user', 'assistant', 'user', 'bot'];
    await bring(
      there,
      path,
      authors.map((author) => ({ author, content: author })),
    );
    const { messages } = (await here.get(`${path}/messages`)).json;
    expect(messages.map(({ author }: { author: string }) => author)).toEqual(['bot', 'user', 'bot', 'user', 'bot']);
  });

  test('is sent with the next question, neighbours of one author as one, a leading bot after a user', async () => {
    const { here, there } = played;
    const session = await played.session();
    await bring(there, session.path, [bot('welcome'), bot('again'), user('a'), user('b'), bot('c')]);
    await here.post(`${session.path}/messages`, { message: 'd' });
    const [lead, ...rest] = session.asked;
    expect(lead?.role).toBe('user');
    expect(rest).toEqual([
      { role: 'model', parts: [{ text: 'welcome' }, { text: 'again' }] },
      { role: 'user', parts: [{ text: 'a' }, { text: 'b' }] },
      { role: 'model', parts: [{ text: 'c' }] },
      { role: 'user', parts: [{ text: 'd' }] },
    ]);
    await bring(there, session.path, [bot('e'), user('f'), bot('g')]);
    await here.post(`${session.path}/messages`, { message: 'h' });
    expect(session.asked.slice(5).map(({ role, parts }) => [role, parts])).toEqual([
      ['model', [{ text: 'answer 1' }, { text: 'e' }]],
      ['user', [{ text: 'f' }]],
      ['model', [{ text: 'g' }]],
      ['user', [{ text: 'h' }]],
    ]);
  });

  test('goes to the model byte for byte, signatures, thoughts and unknown fields included', async () => {
    const { here, there } = played;
    const session = await played.session();
    const parts = [
      { text: 'hm \u2028 \\u0041', thought: true, thoughtSignature: 'x+/=' },
      { hologram: { depth: 1e-9, a: [null, 0.1, true] } },
      { text: 'white ', partMetadata: { z: 1, a: {} } },
      { ...call(), thoughtSignature: 'eA==' },
    ];
    const said = [{ author: 'bot', parts }, { author: 'user', parts: [response()] }, bot('found')];
    await bring(there, session.path, said);
    await here.post(`${session.path}/messages`, { message: 'And?' });
    expect(session.calls.at(-1)?.body).toContain(`"parts":${JSON.stringify(parts)}`);
    expect(session.calls.at(-1)?.body).toContain(`"parts":${JSON.stringify([response()])}`);
  });

  test('answers the calls that are open, and may leave others open', async () => {
    const { here, there } = played;
    const session = await played.session();
    session.plays(saysParts([call('f'), call('g')]));
    await here.post(`${session.path}/messages`, { message: 'Call.' });
    for (const wrong of [[bot('x')], [user('x'), bot('y')], [{ author: 'user', parts: [response('f')] }, bot('y')]]) {
      const { status, json } = await bring(there, session.path, wrong);
      expect([status, json.errors[0].path]).toEqual([400, '/messages/0']);
    }
    const responses = { author: 'user', parts: [response('g'), response('f')] };
    expect((await bring(there, session.path, [responses, { author: 'bot', parts: [call('h')] }])).status).toBe(200);
    expect((await here.post(`${session.path}/messages`, { message: 'x' })).status).toBe(400);
    expect((await here.post(`${session.path}/messages`, { parts: [response('h')] })).json.state).toBe('COMMITTED');
    expect(session.asked).toHaveLength(5);
  });

  test('makes the last messages nobody’s: there is nothing to choose, or to regenerate', async () => {
    const { here, there } = played;
    const session = await played.session();
    await here.post(`${session.path}/messages`, { message: 'Hi', turnId: 'it' });
    await bring(there, session.path, [bot('and')]);
    for (const [what, body] of [
      ['choose', { candidate: 0 }],
      ['regenerate', {}],
    ] as const) {
      expect((await here.post(`${session.path}/turns/it/${what}`, body)).json.code).toBe('not_latest_turn');
    }
    const { json } = await here.get(`${session.path}/turns/it`);
    expect(json).toMatchObject({ state: 'COMMITTED', messages: [expect.any(String), expect.any(String)] });
    expect(json).not.toHaveProperty('superseded');
    await here.post(`${session.path}/rewind`, { toMessageId: json.messages[1] });
    expect((await here.post(`${session.path}/turns/it/regenerate`)).json).toMatchObject({ regenerates: 'it' });
    expect(await texts(session.path)).toEqual(['Hi', 'answer 2']);
  });

  test('asks no model, and is not a turn', async () => {
    const { here, there } = played;
    const session = await played.session();
    await bring(there, session.path, [bot('x')]);
    expect(session.calls).toHaveLength(0);
    expect((await here.get(`${session.path}/turns`)).json).toEqual({ turns: [] });
  });
});

describe('a strict model takes what follows an import', () => {
  const MODEL = 'gemini-3-pro-preview';

  test.each([
    ['a leading bot', [bot('welcome')]],
    ['authors in any order', [user('a'), user('b'), bot('c'), bot('d'), user('e'), bot('f')]],
    [
      'signed calls and their responses',
      [
        user('Call.'),
        { author: 'bot', parts: [signed(call('f'), MODEL), call('g')] },
        { author: 'user', parts: [response('f'), response('g')] },
        { author: 'model', parts: [signed({ text: 'Done.' }, MODEL)] },
      ],
    ],
    [
      'pictures and code',
      [
        { author: 'user', parts: [{ text: 'Look.' }, { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }] },
        { author: 'bot', parts: [{ executableCode: { language: 'PYTHON', code: '1' } }, { text: 'seen' }] },
      ],
    ],
  ])('%s', async (_what, messages) => {
    const { here, there } = strict;
    for (const first of [false, true]) {
      const path = await here.session({ model: MODEL });
      if (first) await here.post(`${path}/messages`, { message: 'Before.' });
      expect((await bring(there, path, messages)).status).toBe(200);
      const { json } = await here.post(`${path}/messages`, { message: 'And now?' });
      expect(json.state, JSON.stringify(json)).toBe('COMMITTED');
    }
  });

  test('with a call left open, and its response sent', async () => {
    const { here, there } = strict;
    const path = await here.session({ model: MODEL });
    await bring(there, path, [user('Call.'), { author: 'bot', parts: [signed(call(), MODEL)] }]);
    const { json } = await here.post(`${path}/messages`, { parts: [response()] });
    expect(json.state, JSON.stringify(json)).toBe('COMMITTED');
  });

  test('and refuses a signature that it has not given, which is told', async () => {
    const { here, there } = strict;
    const path = await here.session({ model: MODEL });
    const forged = { ...signed(call(), MODEL), functionCall: { name: 'other', args: {} } };
    await bring(there, path, [user('Call.'), { author: 'bot', parts: [forged] }]);
    const { status, json } = await here.post(`${path}/messages`, { parts: [response('other')] });
    expect([status, json.code]).toEqual([422, 'unsupported_by_model']);
  });
});

describe('an import is refused whole', () => {
  test.each<[string, readonly object[], string]>([
    ['nothing', [], '/messages'],
    ['a question at its end', [bot('a'), user('b')], '/messages/1'],
    ['a message of nobody', [{ author: 'system', content: 'x' }, bot('a')], '/messages/0/author'],
    ['no words', [bot('a'), { author: 'user', content: '' }, bot('b')], '/messages/1/content'],
    ['neither content nor parts', [bot('a'), { author: 'bot' }], '/messages/1'],
    ['both', [{ author: 'bot', content: 'x', parts: [{ text: 'x' }] }], '/messages/0'],
    ['an id', [{ id: 'x', ...bot('a') }], '/messages/0/id'],
    [
      'an answer that is none',
      [bot('a'), { author: 'bot', parts: [{ text: 'x', thought: true }] }],
      '/messages/1/parts',
    ],
    [
      'a text that is none, of the user',
      [{ author: 'user', parts: [{ text: 5 }] }, bot('b')],
      '/messages/0/parts/0/text',
    ],
    [
      'a text that is none, of the bot',
      [{ author: 'bot', parts: [{ text: 'a' }, { text: {} }] }],
      '/messages/0/parts/1/text',
    ],
    ['a call of the user', [bot('a'), { author: 'user', parts: [call()] }, bot('b')], '/messages/1/parts/0'],
    ['a response of the bot', [{ author: 'bot', parts: [response(), { text: 'x' }] }], '/messages/0/parts'],
    ['a response to nothing', [bot('a'), { author: 'user', parts: [response()] }, bot('b')], '/messages/1'],
    ['a call without its response', [{ author: 'bot', parts: [call()] }, user('x'), bot('b')], '/messages/1'],
    [
      'another response',
      [{ author: 'bot', parts: [call()] }, { author: 'user', parts: [response('g')] }, bot('b')],
      '/messages/1',
    ],
    ['the bot after its own call', [{ author: 'bot', parts: [call()] }, bot('b')], '/messages/1'],
    [
      'words of the user beside responses',
      [{ author: 'bot', parts: [call()] }, { author: 'user', parts: [response()] }, user('and'), bot('b')],
      '/messages/2',
    ],
    [
      'a file that is not allowed',
      [{ author: 'user', parts: [{ fileData: { fileUri: 'gs://b/o' } }] }, bot('b')],
      '/messages/0/parts/0/fileData',
    ],
  ])('for %s, and names it', async (_what, messages, field) => {
    const { here, there } = played;
    const { path } = await played.session({ messageHistory: [user('Hi'), bot('Hello')] });
    const before = [await historyText(here, path), (await here.get(path)).text];
    const { status, json } = await bring(there, path, messages);
    expect([status, json.code]).toEqual([400, 'invalid_argument']);
    expect(json.errors.map((error: { path: string }) => error.path)).toContain(field);
    expect([await historyText(here, path), (await here.get(path)).text]).toEqual(before);
  });

  test('when it is one message too long, or some bytes, and fits when it is just not', async () => {
    const { here, there } = played;
    const { path } = await played.session({ messageHistory: [user('Hi'), bot('Hello')] });
    const many = (count: number) => Array.from({ length: count }, () => bot('x'));
    for (const messages of [[bot('x'.repeat(8192))], many(LIMIT - 1)]) {
      const { status, json } = await bring(there, path, messages);
      expect([status, json.code]).toEqual([409, 'history_full']);
    }
    expect((await here.get(path)).json).toMatchObject({ version: 1, messageCount: 2 });
    expect((await bring(there, path, many(LIMIT - 2))).json.messageCount).toBe(LIMIT);
    expect((await bring(there, path, many(1))).json.code).toBe('history_full');
  });

  test('under another version than it names, and without a session', async () => {
    const { there } = played;
    const { path } = await played.session();
    expect((await bring(there, path, [bot('x')], { 'if-match': '"1"' })).json.version).toBe(2);
    const { status, json } = await bring(there, path, [bot('x')], { 'if-match': '"1"' });
    expect([status, json.code, json.currentVersion]).toEqual([412, 'version_mismatch', 2]);
    expect((await bring(there, '/v1/sessions/nobody', [bot('x')])).json.code).toBe('session_not_found');
    expect(await texts(path)).toEqual(['x']);
  });

  test('while a turn runs, and is taken when it has ended', async () => {
    const { here, there } = played;
    const session = await played.session();
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(here.stream(session.path, { message: 'x', turnId: 'running' }));
    const { status, json } = await bring(there, session.path, [bot('y')]);
    expect([status, json.code, json.activeTurn.turnId]).toEqual([409, 'turn_in_progress', 'running']);
    half.release();
    await stream.done();
    expect((await bring(there, session.path, [bot('y')])).status).toBe(200);
    expect(await texts(session.path)).toEqual(['x', 'half and half', 'y']);
  });
});

describe('the same import', () => {
  const key = (value: string) => ({ 'idempotency-key': value });

  test('is made once, and answered as the session is now, before busy, version and limits', async () => {
    const { here, there } = played;
    const session = await played.session();
    const first = await bring(there, session.path, [user('a'), bot('b')], { ...key('k'), 'if-match': '"1"' });
    expect(first.json).toMatchObject({ version: 2, messageCount: 2 });
    const again = await bring(here, session.path, [user('a'), bot('b')], { ...key('"k"'), 'if-match': '"1"' });
    expect([again.status, again.json, again.headers.etag]).toEqual([200, first.json, '"2"']);
    const half = held();
    session.plays(half.script);
    const stream = await begunStream(here.stream(session.path, { message: 'x' }));
    const beside = await bring(there, session.path, [user('a'), bot('b')], key('k'));
    expect([beside.status, beside.json.messageCount]).toEqual([200, 2]);
    half.release();
    await stream.done();
    expect(await texts(session.path)).toEqual(['a', 'b', 'x', 'half and half']);
  });

  test('is made once of twelve that come at once, also with a version, and with calls to answer', async () => {
    const { here, there } = played;
    const session = await played.session();
    session.plays(saysParts([call()]));
    await here.post(`${session.path}/messages`, { message: 'Call.' });
    const messages = [{ author: 'user', parts: [response()] }, bot('found')];
    for (const headers of [{ 'if-match': '"2"' }, {}]) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          bring(i % 2 ? here : there, session.path, messages, { ...key('k'), ...headers }),
        ),
      );
      for (const { status, json } of answers) expect([status, json.messageCount]).toEqual([200, 4]);
    }
    expect((await here.get(session.path)).json.version).toBe(3);
  });

  test('is refused with another body, and under the key of a send', async () => {
    const { here, there } = played;
    const { path } = await played.session();
    await bring(there, path, [bot('a')], key('k'));
    await here.post(`${path}/messages`, { message: 'x' }, key('sent'));
    for (const [messages, name] of [
      [[bot('b')], 'k'],
      [[bot('a')], 'sent'],
    ] as const) {
      const { status, json } = await bring(there, path, messages, key(name));
      expect([status, json.code]).toEqual([422, 'idempotency_mismatch']);
    }
    const send = await here.post(`${path}/messages`, { message: 'x' }, key('k'));
    expect([send.status, send.json.code]).toEqual([422, 'idempotency_mismatch']);
    expect(await texts(path)).toEqual(['a', 'x', 'answer 1']);
  });

  test('is made when it was refused before, and again without a key', async () => {
    const { there } = played;
    const { path } = await played.session();
    expect((await bring(there, path, [bot('a')], { ...key('k'), 'if-match': '"7"' })).status).toBe(412);
    expect((await bring(there, path, [user('a')], key('k'))).status).toBe(400);
    expect((await bring(there, path, [bot('a')], key('k'))).json.messageCount).toBe(1);
    expect((await bring(there, path, [bot('a')])).json.messageCount).toBe(2);
  });
});
