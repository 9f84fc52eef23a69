// Sessions over HTTP: made, read, listed, changed, deleted; and pages of their histories.

import { expect, test } from 'vitest';
import { startScene } from '../support/service-scene.ts';

const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };

test('a session is made with what is given, and says what it is', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const given = {
    id: 'mine',
    displayName: 'A talk',
    metadata: { team: 'blue' },
    context: 'You are terse.',
    examples: [{ input: 'Hi', output: 'Hello' }],
    temperature: 0,
    stopSequences: ['END'],
    thinkingConfig: { thinkingBudget: 0 },
    tools: [
      { functionDeclarations: [{ name: 'f', parameters: { type: 'object', 'x-any': { deep: [1, 2.5, null] } } }] },
    ],
    ttl: 3600,
  };
  const created = await client.post('/v1/sessions', given);
  expect(created.status).toBe(201);
  expect(created.headers).toMatchObject({ location: '/v1/sessions/mine', etag: '"1"' });
  expect(created.json).toMatchObject({ ...given, model: 'emulator', version: 1, messageCount: 0 });
  expect(Date.parse(created.json.expireTime) - Date.parse(created.json.updateTime)).toBe(3_600_000);
  const read = await client.get('/v1/sessions/mine');
  expect(read.json).toEqual(created.json);
  expect((await client.post('/v1/sessions', { id: 'mine' })).json).toMatchObject({
    status: 409,
    code: 'session_exists',
  });
});

test('null at creation means absent, and ids are made that cannot be guessed', async () => {
  await using scene = await startScene();
  const { json } = await scene.client.post('/v1/sessions', {
    context: null,
    temperature: null,
    ttl: null,
    model: null,
  });
  expect(json).not.toHaveProperty('context');
  expect(json).toMatchObject({ ttl: 604_800, model: 'emulator' });
  expect(json.id).toMatch(/^[A-Za-z0-9_-]{24}$/);
});

test('a history can be brought along: aliases are understood, texts become parts, the model is told', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const messageHistory = [
    { author: 'assistant', content: 'Welcome.' },
    { author: 'user', content: 'Hi' },
    { author: 'model', parts: [{ text: 'Hello' }, { text: ' there' }] },
  ];
  const path = await client.session({ messageHistory });
  expect(await client.history(path)).toEqual([
    ['bot', 'Welcome.'],
    ['user', 'Hi'],
    ['bot', 'Hello there'],
  ]);
  const { json } = await client.post(`${path}/messages`, { message: 'Go on' });
  expect(json).toMatchObject({ state: 'COMMITTED', sent: { messages: 4 } });
});

test.each([
  ['ends with the user', [{ author: 'user', content: 'Hi' }], '/messageHistory/0'],
  [
    'leaves a call open',
    [
      { author: 'bot', parts: [{ functionCall: { name: 'f' } }] },
      { author: 'bot', content: 'x' },
    ],
    '/messageHistory/1',
  ],
  [
    'holds an empty message',
    [
      { author: 'user', parts: [{ text: '' }] },
      { author: 'bot', content: 'x' },
    ],
    '/messageHistory/0/parts',
  ],
])('a history that %s is refused, and the message at fault named', async (_what, messageHistory, path) => {
  await using scene = await startScene();
  const { json } = await scene.client.post('/v1/sessions', { messageHistory });
  expect(json).toMatchObject({ status: 400, code: 'invalid_argument' });
  expect(json.errors.map((error: { path: string }) => error.path)).toEqual([path]);
});

test('a merge patch changes what it names, removes what is null, and grows the version by one', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const path = await client.session({
    context: 'old',
    temperature: 0.5,
    metadata: { a: '1', b: '2' },
    thinkingConfig: { thinkingBudget: 5, includeThoughts: true },
  });
  const patch = {
    context: 'new',
    temperature: null,
    metadata: { a: null, c: '3' },
    thinkingConfig: { thinkingBudget: null },
    ttl: 60,
  };
  const { json, headers } = await client.patch(path, patch, MERGE_PATCH);
  expect(json).toMatchObject({ context: 'new', metadata: { b: '2', c: '3' }, ttl: 60, version: 2 });
  expect(json.thinkingConfig).toEqual({ includeThoughts: true });
  expect(json).not.toHaveProperty('temperature');
  expect(headers.etag).toBe('"2"');
  expect((await client.patch(path, { ttl: null })).json.ttl).toBe(604_800);
  expect((await client.patch(path, {})).json.version).toBe(3);
});

test('metadata cannot grow beyond its limit by patches', async () => {
  await using scene = await startScene();
  const pairs = (name: string) => Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${name}${i}`, 'x']));
  const path = await scene.client.session({ metadata: pairs('a') });
  const { json } = await scene.client.patch(path, { metadata: pairs('b') });
  expect(json).toMatchObject({ status: 400, errors: [{ path: '/metadata' }] });
});

test('If-Match lets a change through only for the version it names', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const path = await client.session({});
  const stale = await client.patch(path, { context: 'x' }, { 'if-match': '"7"' });
  expect(stale.json).toMatchObject({ status: 412, code: 'version_mismatch', currentVersion: 1 });
  expect((await client.patch(path, { context: 'x' }, { 'if-match': 'W/"1"' })).status).toBe(412);
  expect((await client.patch(path, { context: 'x' }, { 'if-match': '"1"' })).status).toBe(200);
  expect((await client.patch(path, { context: 'y' }, { 'if-match': '*' })).status).toBe(200);
  const send = await client.post(`${path}/messages`, { message: 'hello' }, { 'if-match': '"1"' });
  expect(send.json).toMatchObject({ status: 412, currentVersion: 3 });
  expect((await client.post(`${path}/messages`, { message: 'hello' }, { 'if-match': '"3"' })).json.sessionVersion).toBe(
    4,
  );
  const kept = await client.delete(path, { 'if-match': '"3"' });
  expect(kept.json).toMatchObject({ status: 412, code: 'version_mismatch', currentVersion: 4 });
  expect((await client.delete(path, { 'if-match': '"4"' })).status).toBe(204);
  expect((await client.get(path)).status).toBe(404);
});

test('a configuration that is too large is refused, as a new session and as a change', async () => {
  await using scene = await startScene({ SESSION_CONFIG_BYTES_MAX: '4096' });
  const { client } = scene;
  const context = 'x'.repeat(5000);
  expect((await client.post('/v1/sessions', { context })).json).toMatchObject({
    status: 413,
    code: 'payload_too_large',
  });
  const path = await client.session({});
  expect((await client.patch(path, { context })).json.code).toBe('payload_too_large');
  expect((await client.get(path)).json.version).toBe(1);
});

test('a full history refuses the next message, and says so', async () => {
  await using scene = await startScene({ HISTORY_MESSAGES_MAX: '4' });
  const { client } = scene;
  const path = await client.session({});
  for (const message of ['one', 'two']) await client.post(`${path}/messages`, { message });
  const { json } = await client.post(`${path}/messages`, { message: 'three' });
  expect(json).toMatchObject({ status: 409, code: 'history_full', retryable: false });
  expect((await client.get(path)).json.messageCount).toBe(4);
});

test('a turn id can be chosen once', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const path = await client.session({});
  expect((await client.post(`${path}/messages`, { message: 'one', turnId: 'mine' })).json.turnId).toBe('mine');
  const again = await client.post(`${path}/messages`, { message: 'two', turnId: 'mine' });
  expect(again.json).toMatchObject({ status: 409, code: 'turn_exists' });
  expect((await client.get(`${path}/turns/other`)).json.code).toBe('turn_not_found');
});

test('settings of a send win over those of the session, field by field', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const path = await client.session({ maxOutputTokens: 4 });
  const capped = await client.post(`${path}/messages`, { message: 'hello', temperature: 0 });
  expect(capped.json.candidates[0].finishReason).toBe('MAX_TOKENS');
  const free = await client.post(`${path}/messages`, { message: 'hello again', maxOutputTokens: null });
  expect(free.json.candidates[0].finishReason).toBe('STOP');
});

test('pages of a history are complete in both orders, and stable while it grows', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const messageHistory = Array.from({ length: 20 }, (_, i) => ({ author: i % 2 ? 'bot' : 'user', content: `m${i}` }));
  const path = await client.session({ messageHistory });
  for (const order of ['asc', 'desc']) {
    const seen: string[] = [];
    let token = '';
    do {
      const { json } = await client.get(`${path}/messages?order=${order}&pageSize=7${token && `&pageToken=${token}`}`);
      seen.push(...json.messages.map(({ content }: { content: string }) => content));
      token = json.nextPageToken ?? '';
      if (order === 'desc') await client.post(`${path}/messages`, { message: 'meanwhile' });
    } while (token);
    const names = messageHistory.map(({ content }) => content);
    expect(seen).toEqual(order === 'asc' ? names : names.reverse());
  }
  const { json } = await client.get(`${path}/messages?order=asc&pageSize=3`);
  const wrong = await client.get(`${path}/messages?order=desc&pageToken=${json.nextPageToken}`);
  expect(wrong.json).toMatchObject({ status: 400, code: 'invalid_page_token' });
});

test('sessions are listed newest activity first, page by page, without their histories', async () => {
  await using scene = await startScene();
  const { client } = scene;
  for (const id of ['a', 'b', 'c', 'd', 'e']) await client.session({ id });
  await client.post('/v1/sessions/b/messages', { message: 'hello' });
  const first = await client.get('/v1/sessions?pageSize=3');
  const second = await client.get(`/v1/sessions?pageSize=3&pageToken=${first.json.nextPageToken}`);
  const ids = [...first.json.sessions, ...second.json.sessions].map(({ id }: { id: string }) => id);
  expect(ids).toEqual(['b', 'e', 'd', 'c', 'a']);
  expect(second.json).not.toHaveProperty('nextPageToken');
  expect(first.json.sessions[0]).not.toHaveProperty('messages');
  expect((await client.get('/v1/sessions?pageToken=%21')).json.code).toBe('invalid_page_token');
});

test('a deleted session is gone, and its id can be used again', async () => {
  await using scene = await startScene();
  const { client } = scene;
  const path = await client.session({ id: 'x' });
  await client.post(`${path}/messages`, { message: 'hello', turnId: 't' });
  expect((await client.delete(path)).status).toBe(204);
  expect((await client.delete(path)).json.code).toBe('session_not_found');
  expect((await client.get(`${path}/turns/t`)).json.code).toBe('session_not_found');
  await client.session({ id: 'x' });
  expect(await client.history(path)).toEqual([]);
  expect((await client.get(`${path}/turns/t`)).json.code).toBe('turn_not_found');
});

test('addresses in answers carry the prefix that a gateway strips', async () => {
  await using scene = await startScene({ PUBLIC_BASE_PATH: '/chat' });
  const created = await scene.client.post('/v1/sessions', { id: 'x' });
  expect(created.headers.location).toBe('/chat/v1/sessions/x');
  expect((await scene.client.get('/v1/sessions/none')).json.type).toBe('/chat/docs/problems#session_not_found');
});

test('files may be named only where the deployment allows it', async () => {
  await using scene = await startScene({ FILE_URI_ALLOW: 'gs://ours' });
  const { client } = scene;
  const path = await client.session({});
  const ask = (fileUri: string) => {
    return client.post(`${path}/messages`, {
      parts: [{ fileData: { fileUri, mimeType: 'text/plain' } }, { text: 'Sum up' }],
    });
  };
  for (const uri of ['gs://theirs/file', 'gs://ours-not/file', 'https://169.254.169.254/latest', 'gs://ours']) {
    expect((await ask(uri)).json).toMatchObject({ status: 400, errors: [{ path: '/parts/0/fileData' }] });
  }
  expect((await ask('gs://ours/file')).json.state).toBe('COMMITTED');
});
