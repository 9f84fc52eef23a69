// POST …/rewind on two replicas: what stays, what goes, and what refuses to be cut.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said, type UpstreamCall } from '../support/upstream.ts';

type Body = { readonly contents: readonly { readonly role: string; readonly parts: readonly { text?: string }[] }[] };
const contentsOf = (call: UpstreamCall | undefined) => (JSON.parse(call?.body ?? '{}') as Body).contents;

/** Says how long the conversation is; `[hold]` is answered by half a word, `[call]` by a function call. */
function counting(response: Parameters<typeof asStream>[0], call: UpstreamCall) {
  const contents = contentsOf(call);
  const question = contents.at(-1)?.parts[0]?.text ?? '';
  if (question.includes('[hold]')) return asStream(response).write(event(said('half ')));
  if (!question.includes('[call]')) return answer(response, call, `answer ${contents.length}`);
  const part = { functionCall: { name: 'f', args: {} } };
  const body = { candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }] };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas(counting);
});
afterAll(() => replicas[Symbol.asyncDispose]());

/** A session of three turns; where it is, its messages, and its turns. */
async function threeTurns(given: object = {}) {
  const { here } = replicas;
  const path = await here.session(given);
  const turns = [];
  for (const message of ['one', 'two', 'three']) {
    turns.push((await here.post(`${path}/messages`, { message })).json);
  }
  const { messages } = (await here.get(`${path}/messages`)).json;
  return { path, turns, messages: messages as readonly { id: string; author: string; content: string }[] };
}

const idsOf = async (path: string) => {
  const { messages } = (await replicas.there.get(`${path}/messages`)).json;
  return (messages as readonly { id: string }[]).map(({ id }) => id);
};

describe('a rewind', () => {
  test('to a bot message keeps it as the last, and the model sees no more', async () => {
    const { here, there, upstream } = replicas;
    const { path, messages } = await threeTurns();
    const before = await here.get(path);
    const { status, json, headers } = await there.post(
      `${path}/rewind`,
      { toMessageId: messages[3]?.id },
      { 'if-match': String(before.headers.etag) },
    );
    expect(status).toBe(200);
    expect(json).toMatchObject({ messageCount: 4, version: before.json.version + 1, usage: before.json.usage });
    expect(headers.etag).toBe(`"${json.version}"`);
    expect((await here.get(path)).json).toEqual(json);
    expect(await idsOf(path)).toEqual(messages.slice(0, 4).map(({ id }) => id));
    await here.post(`${path}/messages`, { message: 'go on' });
    const sent = contentsOf(upstream.calls.at(-1)).map(({ parts }) => parts[0]?.text);
    expect(sent).toEqual([...messages.slice(0, 4).map(({ content }) => content), 'go on']);
  });

  test('to a length keeps so many messages, none included', async () => {
    const { here, there } = replicas;
    const { path, messages } = await threeTurns();
    expect((await there.post(`${path}/rewind`, { toLength: 2 })).json.messageCount).toBe(2);
    expect(await idsOf(path)).toEqual(messages.slice(0, 2).map(({ id }) => id));
    expect((await here.post(`${path}/rewind`, { toLength: 0 })).json.messageCount).toBe(0);
    expect((await here.post(`${path}/messages`, { message: 'anew' })).json.text).toBe('answer 1');
  });

  test('finds a message far from the end of a long history', async () => {
    const { here, there } = replicas;
    const messageHistory = Array.from({ length: 900 }, (_, i) => ({
      author: i % 2 === 0 ? 'user' : 'bot',
      content: `${i}`,
    }));
    const path = await here.session({ messageHistory });
    const { messages } = (await here.get(`${path}/messages?pageSize=4`)).json;
    expect((await there.post(`${path}/rewind`, { toMessageId: messages[3].id })).json.messageCount).toBe(4);
    expect((await here.post(`${path}/rewind`, { toMessageId: messages[1].id })).json.messageCount).toBe(2);
    expect(await idsOf(path)).toEqual(messages.slice(0, 2).map(({ id }: { id: string }) => id));
  });

  test('to where the history ends changes nothing', async () => {
    const { here } = replicas;
    const { path, messages } = await threeTurns();
    const before = (await here.get(path)).json;
    for (const target of [{ toLength: 6 }, { toMessageId: messages[5]?.id }]) {
      const { status, json } = await here.post(`${path}/rewind`, target);
      expect([status, json]).toEqual([200, before]);
    }
  });

  test('leaves the turns readable, and says which of them are superseded', async () => {
    const { here, there } = replicas;
    const { path, turns } = await threeTurns();
    await here.post(`${path}/rewind`, { toLength: 2 });
    for (const [index, before] of turns.entries()) {
      const { json } = await there.get(`${path}/turns/${before.turnId}`);
      const { messages: _gone, ...rest } = before;
      expect(json).toEqual(index === 0 ? before : { ...rest, superseded: true });
    }
  });
});

describe('a rewind is refused', () => {
  test('while a turn runs, whoever runs it, and also when it would change nothing', async () => {
    const { here, there } = replicas;
    const path = await here.session();
    const stream = here.stream(path, { message: '[hold]', turnId: 'it' });
    await stream.until('half of the answer', () => stream.answer() !== '');
    for (const client of [here, there]) {
      const { status, json, headers } = await client.post(`${path}/rewind`, { toLength: 0 });
      expect([status, json.code, json.activeTurn?.turnId]).toEqual([409, 'turn_in_progress', 'it']);
      expect(headers['retry-after']).toMatch(/^\d+$/);
    }
    await there.post(`${path}/turns/it/cancel`);
    await until('it is let through', async () => (await there.post(`${path}/rewind`, { toLength: 0 })).status === 200);
  });

  test('for another version than the session has', async () => {
    const { here } = replicas;
    const { path } = await threeTurns();
    const { status, json } = await here.post(`${path}/rewind`, { toLength: 2 }, { 'if-match': '"2"' });
    expect([status, json.code, json.currentVersion]).toEqual([412, 'version_mismatch', 4]);
    expect(await idsOf(path)).toHaveLength(6);
  });

  test.each([
    ['neither', {}, ''],
    ['both', { toLength: 2, toMessageId: 'x' }, ''],
    ['less than nothing', { toLength: -1 }, '/toLength'],
    ['half a message', { toLength: 1.5 }, '/toLength'],
    ['more than there is', { toLength: 7 }, '/toLength'],
    ['a question as the last', { toLength: 3 }, '/toLength'],
    ['an unknown message', { toMessageId: 'nobody' }, '/toMessageId'],
    ['a name that is none', { toMessageId: 7 }, '/toMessageId'],
    ['something else', { toMessage: 'x' }, '/toMessage'],
  ])('for %s', async (_what, target, path) => {
    const { here } = replicas;
    const session = await threeTurns();
    const { status, json } = await here.post(`${session.path}/rewind`, target);
    expect([status, json.code]).toEqual([400, 'invalid_argument']);
    expect(json.errors.map((error: { path: string }) => error.path)).toContain(path);
    expect(await idsOf(session.path)).toHaveLength(6);
  });

  test('to a question of the user, or to a message that is gone', async () => {
    const { here } = replicas;
    const { path, messages } = await threeTurns();
    expect((await here.post(`${path}/rewind`, { toMessageId: messages[2]?.id })).json.code).toBe('invalid_argument');
    await here.post(`${path}/rewind`, { toLength: 4 });
    expect((await here.post(`${path}/rewind`, { toMessageId: messages[5]?.id })).json.code).toBe('invalid_argument');
    expect(await idsOf(path)).toHaveLength(4);
  });

  test('where it would part a function call from its responses; before it, it goes', async () => {
    const { here, there } = replicas;
    const path = await here.session();
    await here.post(`${path}/messages`, { message: 'hello' });
    await here.post(`${path}/messages`, { message: '[call]' });
    expect((await there.post(`${path}/rewind`, { toLength: 4 })).status).toBe(200);
    const parts = [{ functionResponse: { name: 'f', response: {} } }];
    expect((await here.post(`${path}/messages`, { parts })).json.state).toBe('COMMITTED');
    const { status, json } = await there.post(`${path}/rewind`, { toLength: 4 });
    expect([status, json.errors[0].path]).toEqual([400, '/toLength']);
    expect((await there.post(`${path}/rewind`, { toLength: 2 })).status).toBe(200);
    expect((await here.post(`${path}/messages`, { message: 'go on' })).json.state).toBe('COMMITTED');
  });

  test('for a session that is not there', async () => {
    const { status, json } = await replicas.here.post('/v1/sessions/nobody/rewind', { toLength: 0 });
    expect([status, json.code]).toEqual([404, 'session_not_found']);
  });
});

test('ten rewinds at the same time leave one history', async () => {
  const { here, there } = replicas;
  const { path, messages } = await threeTurns();
  const rewinds = await Promise.all(
    Array.from({ length: 10 }, (_, i) => (i % 2 ? here : there).post(`${path}/rewind`, { toLength: 2 })),
  );
  expect(rewinds.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  expect(await idsOf(path)).toEqual(messages.slice(0, 2).map(({ id }) => id));
  expect((await here.get(path)).json).toMatchObject({ version: 5, messageCount: 2 });
});

test('a rewind is met by pages that were begun before it: they go on from what is left', async () => {
  const { here, there } = replicas;
  const { path, messages } = await threeTurns();
  const page = async (query: string) => (await there.get(`${path}/messages?pageSize=2${query}`)).json;
  const newest = await page('&order=desc');
  const oldest = await page('');
  await here.post(`${path}/rewind`, { toLength: 2 });
  const rest = await page(`&order=desc&pageToken=${newest.nextPageToken}`);
  expect(rest.messages.map(({ id }: { id: string }) => id)).toEqual([messages[1]?.id, messages[0]?.id]);
  expect(rest.nextPageToken).toBeUndefined();
  expect(await page(`&pageToken=${oldest.nextPageToken}`)).toEqual({ messages: [] });
  const wild = await page('&order=desc&pageToken=desc-999999999');
  expect([wild.messages.length, wild.nextPageToken]).toEqual([2, undefined]);
});
