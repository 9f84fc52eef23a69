// POST …/fork on two replicas: a second session with the same past, and a future of its own.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAILURES, historyText, type PlayedTurns, saysParts, startPlayed } from '../support/played-turns.ts';

let played: PlayedTurns;
beforeAll(async () => {
  played = await startPlayed();
});
afterAll(() => played[Symbol.asyncDispose]());

interface ReadMessage {
  readonly id: string;
  readonly turnId?: string;
  readonly author: string;
  readonly content: string;
}

const SIGNED = [
  { text: 'hm \u2028', thought: true, thoughtSignature: 'AA==' },
  { text: 'signed', thoughtSignature: 'x+/=' },
];
const CALL = [{ functionCall: { name: 'f', args: { a: 1e21 } }, thoughtSignature: 'eA==' }];
const RESPONSE = [{ functionResponse: { name: 'f', response: {} } }];

/** A session of two turns, the first of which is signed. */
async function original(given: object = {}) {
  const session = await played.session(given);
  session.plays(saysParts(SIGNED));
  for (const message of ['one', 'two']) await played.here.post(`${session.path}/messages`, { message });
  const { messages } = (await played.here.get(`${session.path}/messages`)).json;
  return { ...session, session, messages: messages as readonly ReadMessage[] };
}

const withoutTurns = (messages: readonly ReadMessage[]) => messages.map(({ turnId: _turnId, ...message }) => message);
const messagesOf = async (path: string) => (await played.here.get(`${path}/messages`)).json.messages;

async function forkOf(path: string, body: object = {}, headers: Readonly<Record<string, string>> = {}) {
  const { status, json, headers: answered } = await played.there.post(`${path}/fork`, body, headers);
  expect(status, JSON.stringify(json)).toBe(201);
  return { json, path: String(answered.location), etag: answered.etag };
}

describe('a fork', () => {
  test('has the configuration, the lifetime and the messages of its original, and nothing of its turns', async () => {
    const given = {
      ...{ displayName: 'of the first', metadata: { a: '1', 'b c': '' }, context: 'Be terse.', ttl: 1234 },
      ...{ examples: [{ input: 'i', output: 'o' }], temperature: 0, topK: 3, stopSequences: ['\u2028'] },
      ...{ safetySettings: [{ category: 'X', threshold: 'Y' }], labels: { l: 'v' } },
    };
    const { path, messages } = await original(given);
    const before = (await played.here.get(path)).json;
    const fork = await forkOf(path);
    expect(fork.path).toBe(`/v1/sessions/${fork.json.id}`);
    expect(fork.etag).toBe('"1"');
    const { id, createTime, updateTime, expireTime, ...rest } = fork.json;
    const { id: _id, createTime: began, updateTime: _at, expireTime: _until, usage: _usage, ...same } = before;
    const usage = { promptTokens: 0, outputTokens: 0, thoughtTokens: 0, cachedTokens: 0, totalTokens: 0 };
    expect(rest).toEqual({ ...same, version: 1, usage });
    expect(id).not.toBe(before.id);
    expect(Date.parse(createTime)).toBeGreaterThanOrEqual(Date.parse(began));
    expect(Date.parse(expireTime) - Date.parse(updateTime)).toBe(1_234_000);
    expect((await played.here.get(fork.path)).json).toEqual(fork.json);
    expect(await messagesOf(fork.path)).toEqual(withoutTurns(messages));
    expect((await played.here.get(`${fork.path}/turns`)).json).toEqual({ turns: [] });
    for (const { turnId } of messages) {
      expect((await played.here.get(`${fork.path}/turns/${turnId}`)).json.code).toBe('turn_not_found');
    }
    expect((await played.here.get(path)).json).toEqual(before);
  });

  test('asks no model, and is in the list of sessions', async () => {
    const { path, calls } = await original();
    const asked = calls.length;
    const fork = await forkOf(path, { displayName: 'a fork', id: 'my-fork' });
    expect(fork.json).toMatchObject({ id: 'my-fork', displayName: 'a fork' });
    expect((await played.here.get(path)).json).not.toHaveProperty('displayName');
    const { sessions } = (await played.here.get('/v1/sessions?pageSize=1')).json;
    expect(sessions[0]).toEqual(fork.json);
    expect(calls).toHaveLength(asked);
  });

  test('ends at the message that it names, and the model sees no more, every part as it was', async () => {
    const { path, session, messages } = await original();
    const fork = await forkOf(path, { atMessageId: messages[1]?.id });
    expect(await messagesOf(fork.path)).toEqual(withoutTurns(messages.slice(0, 2)));
    await played.here.post(`${fork.path}/messages`, { message: 'elsewhere' });
    expect(session.asked.map(({ parts }) => parts)).toEqual([[{ text: 'one' }], SIGNED, [{ text: 'elsewhere' }]]);
    expect(session.calls.at(-1)?.body).toContain(`"parts":${JSON.stringify(SIGNED)}`);
    expect(await messagesOf(path)).toEqual(messages);
  });

  test('goes its own way, and so does its original', async () => {
    const { path, messages } = await original({ context: 'old' });
    const fork = await forkOf(path);
    const { here, there } = played;
    await here.post(`${path}/messages`, { message: 'three' });
    await here.patch(path, { context: 'new' });
    expect(await messagesOf(fork.path)).toEqual(withoutTurns(messages));
    expect((await there.get(fork.path)).json).toEqual(fork.json);
    const kept = await historyText(here, path);
    await there.post(`${fork.path}/messages`, { message: 'other three' });
    await there.post(`${fork.path}/rewind`, { toMessageId: messages[1]?.id });
    await there.patch(fork.path, { context: null });
    expect(await historyText(here, path)).toBe(kept);
    expect((await here.get(path)).json).toMatchObject({ context: 'new', messageCount: 6 });
    await here.delete(path);
    expect((await there.post(`${fork.path}/messages`, { message: 'goes on' })).json.state).toBe('COMMITTED');
    await there.delete(fork.path);
    expect((await here.get(fork.path)).status).toBe(404);
  });

  test('of a deleted fork leaves its original', async () => {
    const { path, messages } = await original();
    const fork = await forkOf(path);
    await played.there.delete(fork.path);
    expect(await messagesOf(path)).toEqual(messages);
  });

  test('of a fork has the same messages', async () => {
    const { path, messages } = await original();
    const second = await forkOf((await forkOf(path)).path, { atMessageId: messages[1]?.id });
    expect(await messagesOf(second.path)).toEqual(withoutTurns(messages.slice(0, 2)));
  });

  test('of an empty session is empty', async () => {
    const { path } = await played.session();
    const fork = await forkOf(path);
    expect(fork.json.messageCount).toBe(0);
    expect((await played.here.post(`${fork.path}/messages`, { message: 'x' })).json.state).toBe('COMMITTED');
  });

  test('leaves the calls open that its last message makes', async () => {
    const { here } = played;
    const session = await played.session();
    session.plays(saysParts(CALL));
    await here.post(`${session.path}/messages`, { message: 'Call.' });
    const at = (await messagesOf(session.path))[1].id;
    await here.post(`${session.path}/messages`, { parts: RESPONSE });
    const fork = await forkOf(session.path, { atMessageId: at });
    expect((await here.post(`${fork.path}/messages`, { message: 'x' })).json.code).toBe('invalid_argument');
    expect((await here.post(`${fork.path}/messages`, { parts: RESPONSE })).json.state).toBe('COMMITTED');
    expect(session.asked.map(({ parts }) => parts)).toEqual([[{ text: 'Call.' }], CALL, RESPONSE]);
    const whole = await forkOf(session.path);
    expect((await here.post(`${whole.path}/messages`, { message: 'x' })).json.state).toBe('COMMITTED');
  });

  test('can be made of a history that is longer than a page, at any message of it', async () => {
    const messageHistory = Array.from({ length: 450 }, (_, i) => {
      return { author: i % 2 === 0 ? 'user' : 'bot', content: `${i}` };
    });
    const { path } = await played.session({ messageHistory });
    for (const [position, page] of [
      [199, 'pageSize=200'],
      [201, 'pageSize=200&pageToken=asc-2'],
      [449, 'pageSize=1&order=desc'],
    ] as const) {
      const last = (await played.here.get(`${path}/messages?${page}`)).json.messages.at(-1);
      expect(last.content).toBe(`${position}`);
      const fork = await forkOf(path, { atMessageId: last.id });
      expect(fork.json.messageCount).toBe(position + 1);
      expect((await played.here.get(`${fork.path}/messages?pageSize=1&order=desc`)).json.messages).toEqual([last]);
    }
  });

  test('knows nothing of turns that did not commit', async () => {
    const { path, session, messages } = await original();
    session.plays(FAILURES.FAILED);
    const failed = (await played.here.post(`${path}/messages`, { message: 'fails' })).json.turnId;
    const fork = await forkOf(path);
    expect(await messagesOf(fork.path)).toEqual(withoutTurns(messages));
    for (const turnId of [failed, messages[3]?.turnId]) {
      expect((await played.here.post(`${fork.path}/turns/${turnId}/regenerate`)).json.code).toBe('turn_not_found');
    }
  });
});

describe('the same fork', () => {
  const key = (value: string) => ({ 'idempotency-key': value });

  test('is made once, and answered as it has become, also when its original has been taken back or deleted', async () => {
    const { path, messages } = await original();
    const { here } = played;
    const body = { atMessageId: messages[3]?.id };
    const first = await forkOf(path, body, key('f1'));
    expect((await forkOf(path, body, key('"f1"'))).json).toEqual(first.json);
    await here.post(`${path}/rewind`, { toLength: 0 });
    await here.patch(first.path, { displayName: 'later' });
    const changed = (await here.get(first.path)).json;
    expect((await forkOf(path, body, key('f1'))).json).toEqual(changed);
    await here.delete(path);
    const again = await forkOf(path, body, key('f1'));
    expect([again.json, again.path, again.etag]).toEqual([changed, first.path, '"2"']);
    expect(await messagesOf(first.path)).toEqual(withoutTurns(messages));
  });

  test('is one of ten that come at once', async () => {
    const { path } = await original();
    const { here, there } = played;
    const forks = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? here : there).post(`${path}/fork`, {}, key('f2'))),
    );
    expect(new Set(forks.map(({ status, json }) => `${status} ${json.id}`)).size).toBe(1);
    expect(forks[0]?.status).toBe(201);
  });

  test('is refused with another body; of another session, or as a creation, it is another one', async () => {
    const [one, two] = [await original(), await original()];
    const { there } = played;
    const first = await forkOf(one.path, {}, key('f3'));
    const { status, json } = await there.post(`${one.path}/fork`, { displayName: 'x' }, key('f3'));
    expect([status, json.code]).toEqual([422, 'idempotency_mismatch']);
    const second = await forkOf(two.path, {}, key('f3'));
    const created = await there.post('/v1/sessions', { displayName: 'x' }, key('f3'));
    expect(created.status).toBe(201);
    expect(new Set([first.json.id, second.json.id, created.json.id]).size).toBe(3);
    expect((await forkOf(one.path)).json.id).not.toBe(first.json.id);
  });

  test('is made anew when it was refused, or deleted', async () => {
    const { path } = await original();
    const { there } = played;
    const body = { id: `taken-${Date.now()}` };
    await there.post('/v1/sessions', body);
    expect((await there.post(`${path}/fork`, body, key('f4'))).json.code).toBe('session_exists');
    await there.delete(`/v1/sessions/${body.id}`);
    const first = await forkOf(path, body, key('f4'));
    await there.delete(first.path);
    expect((await forkOf(path, body, key('f4'))).json).toMatchObject({ version: 1, messageCount: 4 });
  });
});

describe('a fork is refused', () => {
  test('at a message of the user, at none, and at one that is gone', async () => {
    const { path, messages } = await original();
    const { there } = played;
    for (const atMessageId of [messages[2]?.id, 'nobody', '']) {
      const { status, json } = await there.post(`${path}/fork`, { atMessageId });
      expect([status, json.code, json.errors[0].path]).toEqual([400, 'invalid_argument', '/atMessageId']);
    }
    await there.post(`${path}/rewind`, { toLength: 2 });
    expect((await there.post(`${path}/fork`, { atMessageId: messages[3]?.id })).json.errors[0].path).toBe(
      '/atMessageId',
    );
    const empty = await played.session();
    expect((await there.post(`${empty.path}/fork`, { atMessageId: 'x' })).status).toBe(400);
  });

  test('under an id that is taken, also by the original itself', async () => {
    const { path, messages } = await original();
    const other = await played.session();
    for (const taken of [path, other.path]) {
      const { status, json } = await played.there.post(`${path}/fork`, { id: taken.split('/').at(-1) });
      expect([status, json.code]).toEqual([409, 'session_exists']);
    }
    expect(await messagesOf(path)).toEqual(messages);
    expect(await messagesOf(other.path)).toEqual([]);
  });

  test.each([
    [{ id: 'no id!' }, '/id'],
    [{ displayName: 7 }, '/displayName'],
    [{ model: 'm' }, '/model'],
    [{ atMessageId: 7 }, '/atMessageId'],
  ])('with %j', async (body, field) => {
    const { path } = await original();
    const { status, json } = await played.there.post(`${path}/fork`, body);
    expect([status, json.errors[0].path]).toEqual([400, field]);
  });

  test('of a session that is not there', async () => {
    const { status, json } = await played.there.post('/v1/sessions/nobody/fork');
    expect([status, json.code]).toEqual([404, 'session_not_found']);
  });

  test('takes null for what is not given', async () => {
    const { path, messages } = await original({ displayName: 'of the first' });
    const fork = await forkOf(path, { atMessageId: null, id: null, displayName: null });
    expect(fork.json).toMatchObject({ displayName: 'of the first', messageCount: messages.length });
  });
});
