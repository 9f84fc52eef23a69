// The methods of a chat that answer with one thing.

import { expect, test } from 'vitest';
import type { ChatProxyError } from '../../src/client/client.ts';
import { errorOf, historyOf, startClient } from './chat.ts';

const SESSIONS = /^\/v1\/sessions$/;

test('starting a chat sends nothing; its first use creates the session, once, whoever uses it', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat({ context: 'Be brief.', displayName: 'mine', temperature: 0 });
  expect(scene.proxy.seen).toEqual([]);
  const [session, messages] = await Promise.all([chat.session(), historyOf(chat), chat.countTokens('How many?')]);
  expect(session).toMatchObject({
    id: chat.sessionId,
    model: 'emulator',
    context: 'Be brief.',
    displayName: 'mine',
    temperature: 0,
    version: 1,
  });
  expect(messages).toEqual([]);
  expect(scene.proxy.count('POST', SESSIONS)).toBe(1);
});

test('everything that a session can be given arrives', async () => {
  await using scene = await startClient();
  const given = {
    id: 'chosen',
    metadata: { team: 'blue' },
    examples: [{ input: 'Ping', output: 'Pong' }],
    ttl: 60,
    maxOutputTokens: 100,
    topK: 3,
    topP: 0.5,
    stopSequences: ['END'],
    seed: 7,
    labels: { a: 'b' },
  };
  const messageHistory = [
    { author: 'user', content: 'Hi' },
    { author: 'model', parts: [{ text: 'Hello' }] },
  ] as const;
  const chat = scene.model.startChat({ ...given, messageHistory, context: undefined });
  expect(await chat.session()).toMatchObject({ ...given, messageCount: 2 });
  expect(await historyOf(chat)).toEqual([
    ['user', 'Hi'],
    ['bot', 'Hello'],
  ]);
});

test('a message is answered with the whole turn, which is then in the history', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat({ context: 'You are a pirate.' });
  const turn = await chat.sendMessage('Where is the gold?', { candidateCount: 2, temperature: 0, turnId: 'first' });
  expect(turn).toMatchObject({ sessionId: chat.sessionId, turnId: 'first', state: 'COMMITTED', isBlocked: false });
  expect(turn.candidates.map(({ index }) => index)).toEqual([0, 1]);
  expect(turn.text).toBe(turn.candidates[0]?.text);
  expect(turn.text).toContain('You are a pirate.');
  expect(await historyOf(chat)).toEqual([
    ['user', 'Where is the gold?'],
    ['bot', turn.text],
  ]);
  expect(await chat.turn('first')).toEqual(turn);
});

test('a message may be parts', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const turn = await chat.sendMessage([{ text: '[[call:weather]] How is it?' }]);
  expect(turn.candidates[0]?.parts[0]).toHaveProperty('functionCall.name', 'weather');
  const functionResponse = { name: 'weather', response: { sky: 'blue' } };
  expect(await chat.sendMessage([{ functionResponse }])).toMatchObject({ state: 'COMMITTED' });
});

test('a blocked turn is an answer, not an error', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  expect(await chat.sendMessage('[[block-prompt]]')).toMatchObject({
    state: 'BLOCKED',
    isBlocked: true,
    blockReason: 'SAFETY',
  });
  expect(await historyOf(chat)).toEqual([]);
});

test('a failed turn is an error that names it', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const error = await errorOf<ChatProxyError>(chat.sendMessage('[[status:404]]', { turnId: 'it' }));
  expect(error).toMatchObject({
    name: 'ChatProxyError',
    code: 'unsupported_by_model',
    status: 422,
    sessionId: chat.sessionId,
    turnId: 'it',
    retryable: false,
  });
  expect(error.problem).toMatchObject({ title: 'Unsupported by model', detail: error.message });
  expect(await chat.turn('it')).toMatchObject({ state: 'FAILED', problem: { code: error.code } });
  expect(await historyOf(chat)).toEqual([]);
});

test('the history is read page by page, in both orders, and anew by every loop', async () => {
  await using scene = await startClient();
  const said = Array.from({ length: 6 }, (_, i) => ({
    author: i % 2 === 0 ? ('user' as const) : ('bot' as const),
    content: `message ${i}`,
  }));
  const chat = scene.model.startChat({ messageHistory: said });
  const history = chat.messageHistory({ pageSize: 2 });
  for (let round = 0; round < 2; round += 1) {
    const contents: string[] = [];
    for await (const { content } of history) contents.push(content);
    expect(contents).toEqual(said.map(({ content }) => content));
  }
  expect(scene.proxy.count('GET', /\/messages\?/)).toBe(6);
  for await (const { content } of chat.messageHistory({ pageSize: 2, order: 'desc' })) {
    expect(content).toBe('message 5');
    break;
  }
  expect(scene.proxy.count('GET', /\/messages\?/)).toBe(7);
});

test('tokens are counted with a message, with parts, or of what there is', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat({
    messageHistory: [
      { author: 'user', content: 'Hi' },
      { author: 'bot', content: 'Hello' },
    ],
  });
  const { totalTokens: without } = await chat.countTokens();
  const { totalTokens: withText } = await chat.countTokens('some more words to count');
  const { totalTokens: withParts } = await chat.countTokens([{ text: 'some more words to count' }]);
  expect(without).toBeGreaterThan(0);
  expect(withText).toBeGreaterThan(without);
  expect(withParts).toBe(withText);
});

test('a session is changed by a merge patch, and only in the version that was meant', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat({ metadata: { a: '1', b: '2' }, temperature: 0.5 });
  const { version } = await chat.session();
  const changed = await chat.update({ metadata: { a: null, c: '3' }, temperature: null }, { ifMatch: version });
  expect(changed).toMatchObject({ metadata: { b: '2', c: '3' }, version: version + 1 });
  expect(changed).not.toHaveProperty('temperature');
  const error = await errorOf<ChatProxyError>(chat.update({ topK: 1 }, { ifMatch: version }));
  expect(error).toMatchObject({ code: 'version_mismatch', status: 412, problem: { currentVersion: version + 1 } });
  expect(await errorOf(chat.sendMessage('Hi', { ifMatch: `"${version}"` }))).toMatchObject({ code: error.code });
  expect(await chat.sendMessage('Hi', { ifMatch: version + 1 })).toMatchObject({ state: 'COMMITTED' });
});

test('a session has a context window and a budget, given at its start and changed member by member', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat({
    contextWindow: { maxMessages: 1, onOverflow: 'trimOldest' },
    tokenBudget: 1000,
  });
  await chat.sendMessage('Hi');
  expect((await chat.sendMessage('Hi again')).sent).toEqual({ messages: 1, omittedMessages: 2 });
  const changed = await chat.update({ contextWindow: { onOverflow: null, maxTokens: 5 }, tokenBudget: null });
  expect(changed.contextWindow).toEqual({ maxMessages: 1, maxTokens: 5, onOverflow: 'reject' });
  expect(await errorOf(chat.sendMessage('And again'))).toMatchObject({ code: 'history_full', retryable: false });
  await chat.update({ contextWindow: null, tokenBudget: 1 });
  expect(await errorOf(chat.sendMessage('And again'))).toMatchObject({ code: 'budget_exhausted', retryable: false });
});

test('a deleted session is gone; a chat that was never used has nothing to delete', async () => {
  await using scene = await startClient();
  const unused = scene.model.startChat();
  await unused.delete();
  expect(scene.proxy.seen).toEqual([]);
  const chat = scene.model.startChat();
  await chat.sendMessage('Hi');
  await chat.delete();
  for (const use of [() => chat.sendMessage('Hi'), () => chat.session(), () => chat.delete()]) {
    expect(await errorOf(use())).toMatchObject({ code: 'session_not_found', status: 404, sessionId: chat.sessionId });
  }
});

test('a chat is opened again by its id, with what it was', async () => {
  await using scene = await startClient();
  const chat = scene.model.startChat();
  const { text } = await chat.sendMessage('Hi');
  const again = scene.model.openChat(chat.sessionId);
  expect(await historyOf(again)).toEqual([
    ['user', 'Hi'],
    ['bot', text],
  ]);
  expect(scene.proxy.count('POST', SESSIONS)).toBe(1);
  expect(await errorOf(scene.model.openChat('nobody').session())).toMatchObject({ code: 'session_not_found' });
});
