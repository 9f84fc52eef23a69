// The creation of the session, which nobody asks for: what goes wrong with it, and how it is tried again.

import { expect, test } from 'vitest';
import type { ChatProxyError } from '../../src/client/client.ts';
import type { Fate } from '../support/http-proxy.ts';
import { errorOf, startClient } from './chat.ts';

const SESSIONS = /^\/v1\/sessions$/;

/** The first creation meets this fate, the others nothing. */
function firstCreation(fate: Fate) {
  let left = 1;
  return ({ method, path }: { method: string; path: string }): Fate | undefined => {
    if (method !== 'POST' || !SESSIONS.test(path) || left === 0) return undefined;
    left -= 1;
    return fate;
  };
}

test('a creation that failed is tried again by the next use', async () => {
  const fate = firstCreation({ kind: 'answer', status: 503, type: 'text/html', body: '<h1>Down</h1>' });
  await using scene = await startClient({ fate });
  const chat = scene.model.startChat();
  const errors = await Promise.all([errorOf(chat.session()), errorOf(chat.sendMessage('Hi'))]);
  for (const error of errors) expect(error).toMatchObject({ status: 503, retryable: true, code: undefined });
  expect(scene.proxy.count('POST', SESSIONS)).toBe(1);
  expect(await chat.sendMessage('Hi')).toMatchObject({ state: 'COMMITTED' });
  expect(scene.proxy.count('POST', SESSIONS)).toBe(2);
});

test('a creation whose answer was lost has created the session: the next use finds it', async () => {
  await using scene = await startClient({ fate: firstCreation({ kind: 'lose' }) });
  const chat = scene.model.startChat();
  const error = await errorOf<ChatProxyError>(chat.sendMessage('Hi'));
  expect(error).toMatchObject({ code: undefined, status: undefined, retryable: true, sessionId: chat.sessionId });
  expect(error.cause).toBeInstanceOf(Error);
  expect(await chat.sendMessage('Hi')).toMatchObject({ state: 'COMMITTED' });
  expect(await chat.session()).toMatchObject({ messageCount: 2 });
});

test('a session that may have been created is deleted', async () => {
  await using scene = await startClient({ fate: firstCreation({ kind: 'lose' }) });
  const chat = scene.model.startChat();
  await errorOf(chat.session());
  await chat.delete();
  expect(await errorOf(scene.model.openChat(chat.sessionId).session())).toMatchObject({ code: 'session_not_found' });
});

test('an id of your own that is taken is refused, every time', async () => {
  await using scene = await startClient();
  await scene.model.startChat({ id: 'mine' }).session();
  const chat = scene.model.startChat({ id: 'mine' });
  for (let round = 0; round < 2; round += 1) {
    expect(await errorOf(chat.sendMessage('Hi'))).toMatchObject({ code: 'session_exists', status: 409 });
  }
});

test('a caller who gives up does not take the session from the others', async () => {
  const way = Promise.withResolvers<void>();
  await using scene = await startClient({ fate: firstCreation({ kind: 'hold', until: way.promise }) });
  const chat = scene.model.startChat();
  const impatient = new AbortController();
  const given = errorOf(chat.session({ signal: impatient.signal }));
  const patient = chat.session();
  impatient.abort(new Error('no time'));
  expect(await given).toMatchObject({ message: 'no time' });
  way.resolve();
  expect(await patient).toMatchObject({ id: chat.sessionId });
});
