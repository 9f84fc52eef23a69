// The way to the service: addresses, headers, and answers that are not the service's.

import { expect, test } from 'vitest';
import { ChatModel, type ChatProxyError } from '../../src/client/client.ts';
import { freePort } from '../support/free-port.ts';
import type { Fate } from '../support/http-proxy.ts';
import { errorOf, readAll, startClient } from './chat.ts';

test('every request carries the token, which may be asked for anew, and the headers', async () => {
  await using scene = await startClient();
  let tokens = 0;
  const model = ChatModel.fromPretrained('emulator', {
    baseUrl: new URL(scene.proxy.url),
    token: async () => {
      tokens += 1;
      return `token-${tokens}`;
    },
    headers: { 'X-Trace': 'abc' },
  });
  const chat = model.startChat();
  await chat.sendMessage('Hi');
  await readAll(chat.sendMessageStreaming('Hi'));
  const expected = [1, 2, 3].map((count) => ({ authorization: `Bearer token-${count}`, 'x-trace': 'abc' }));
  expect(scene.proxy.seen.map(({ headers }) => headers)).toMatchObject(expected);
});

test('a token of one piece is sent as it is, and wins over a header', async () => {
  await using scene = await startClient({ options: { token: 'secret', headers: { Authorization: 'Basic x' } } });
  await scene.model.startChat().session();
  expect(scene.proxy.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret']);
});

test('the service may be behind a path, with or without a slash at its end', async () => {
  await using scene = await startClient({ prefix: '/gateway/chat' });
  for (const end of ['', '/', '//']) {
    const model = ChatModel.fromPretrained('emulator', { baseUrl: `${scene.proxy.url}${end}` });
    const chat = model.startChat();
    const stream = chat.sendMessageStreaming('Hi');
    await readAll(stream);
    expect(await stream.turn).toMatchObject({ state: 'COMMITTED' });
  }
  for (const baseUrl of ['http://localhost/?a=b', 'nonsense', 'localhost:8080', 'http:///', 'ftp://a']) {
    expect(() => ChatModel.fromPretrained('emulator', { baseUrl }), baseUrl).toThrow(TypeError);
  }
});

test('another fetch may be given', async () => {
  await using scene = await startClient();
  const asked: string[] = [];
  const model = ChatModel.fromPretrained('emulator', {
    baseUrl: scene.proxy.url,
    fetch: (url, init) => {
      asked.push(`${init.method} ${url}`);
      return fetch(url, init);
    },
  });
  const chat = model.startChat({ id: 'seen' });
  await chat.session();
  expect(asked).toEqual([`POST ${scene.proxy.url}/v1/sessions`, `GET ${scene.proxy.url}/v1/sessions/seen`]);
});

test('an id cannot lead to another address', async () => {
  await using scene = await startClient();
  await errorOf(scene.model.openChat('a/b?c#d').session());
  await errorOf(scene.model.openChat('s').turn('x/../y'));
  expect(scene.proxy.seen.map(({ path }) => path)).toEqual([
    '/v1/sessions/a%2Fb%3Fc%23d',
    '/v1/sessions/s/turns/x%2F..%2Fy',
  ]);
  for (const id of ['', '.', '..']) expect(() => scene.model.openChat(id)).toThrow(TypeError);
});

test('every bad field is in the problem', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const error = await errorOf<ChatProxyError>(chat.sendMessage('Hi', { topK: 0, maxOutputTokens: 0 }));
  expect(error).toMatchObject({ code: 'invalid_argument', status: 400, retryable: false });
  expect(error.problem?.errors?.map(({ path }) => path).sort()).toEqual(['/maxOutputTokens', '/topK']);
});

const PAGE = '<html>\n  <h1>502 Bad Gateway</h1>\n</html>';

test("a proxy's page is an error that shows its beginning, on every way", async () => {
  const fate = ({ path }: { path: string }): Fate | undefined =>
    path === '/v1/sessions' ? undefined : { kind: 'answer', status: 502, type: 'text/html', body: PAGE };
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  for (const use of [() => chat.sendMessage('Hi'), () => readAll(chat.sendMessageStreaming('Hi'))]) {
    const error = await errorOf<ChatProxyError>(use());
    expect(error).toMatchObject({ name: 'ChatProxyError', code: undefined, status: 502, retryable: true });
    expect(error.message).toContain('502 and text/html');
    expect(error.message).toContain('<h1>502 Bad Gateway</h1>');
  }
});

test('a page with the status of a success is no answer either', async () => {
  const fate = ({ path }: { path: string }): Fate | undefined =>
    path === '/v1/sessions' ? undefined : { kind: 'answer', status: 200, type: 'text/html', body: PAGE };
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  for (const use of [() => chat.session(), () => readAll(chat.sendMessageStreaming('Hi'))]) {
    const error = await errorOf<ChatProxyError>(use());
    expect(error).toMatchObject({ name: 'ChatProxyError', code: undefined, status: 200, retryable: false });
    expect(error.message).toContain('200 and text/html');
  }
});

test('no service at all is an error without a code, with its cause', async () => {
  const model = ChatModel.fromPretrained('emulator', { baseUrl: `http://127.0.0.1:${await freePort()}` });
  const chat = model.openChat('s');
  for (const use of [() => chat.session(), () => readAll(chat.sendMessageStreaming('Hi', { turnId: 't' }))]) {
    const error = await errorOf<ChatProxyError>(use());
    expect(error).toMatchObject({ name: 'ChatProxyError', code: undefined, status: undefined, retryable: true });
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.cause).toBeInstanceOf(TypeError);
  }
});

test("an aborted request fails with the signal's own reason", async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const aborted = AbortSignal.abort(new Error('never mind'));
  for (const use of [
    () => chat.sendMessage('Hi', { signal: aborted }),
    () => chat.countTokens('Hi', { signal: aborted }),
    () => chat.messageHistory({ signal: aborted }).toArray(),
    () => chat.update({}, { signal: aborted }),
    () => readAll(chat.sendMessageStreaming('Hi', { signal: aborted })),
  ]) {
    expect(await errorOf(use())).toMatchObject({ message: 'never mind' });
  }
  expect(scene.proxy.seen).toEqual([]);
});
