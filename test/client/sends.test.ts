// Messages whose answer does not come: they are sent again, and become one turn, whatever of it was heard, and when.

import { expect, test } from 'vitest';
import type { ChatProxyError, ChatSession } from '../../src/client/client.ts';
import type { Fate, SeenRequest } from '../support/http-proxy.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said } from '../support/upstream.ts';
import { errorOf, historyOf, readAll, startScriptedClient, textOf } from './chat.ts';

const SENDS = /\/messages(\/stream)?$/;
const CONTINUE = { onDisconnect: 'continue' } as const;

const stream = async (chat: ChatSession): Promise<string> =>
  textOf(await readAll(chat.sendMessageStreaming('Hi', CONTINUE)));
const send = async (chat: ChatSession): Promise<string> => (await chat.sendMessage('Hi')).text;
const WAYS = [
  ['a streamed message', stream],
  ['a message', send],
] as const;

/** The first sends meet these fates, the others nothing. */
function sends(...fates: readonly Fate[]) {
  const left = [...fates];
  return ({ method, path }: SeenRequest): Fate | undefined =>
    method === 'POST' && SENDS.test(path) ? left.shift() : undefined;
}

const GATEWAY: Fate = { kind: 'answer', status: 502, type: 'text/html', body: '<h1>Bad gateway</h1>' };
const DRAINING: Fate = {
  kind: 'answer',
  status: 503,
  type: 'application/problem+json',
  body: JSON.stringify({ code: 'draining', title: 'Draining', status: 503, detail: 'Elsewhere.', retryable: true }),
};
/** Of a message that was sent again, to a replica that cannot wait for its turn: that one runs elsewhere. */
const DRAINING_AROUND_TURN: Fate = { ...DRAINING, headers: { 'turn-id': 'elsewhere', 'retry-after': '0' } };

for (const [name, ask] of WAYS) {
  test.each([
    ['was not heard', [{ kind: 'drop' }]],
    ['was heard, and its answer was lost', [{ kind: 'lose' }]],
    ['was heard, and its answer was lost where it began', [{ kind: 'lose', at: 'headers' }]],
    ['was answered by a gateway', [GATEWAY, GATEWAY]],
    ['met a replica that takes nothing any more', [DRAINING]],
    ['met one that says so of a turn elsewhere', [{ kind: 'lose' }, DRAINING_AROUND_TURN]],
    ['was lost in every way', [{ kind: 'drop' }, { kind: 'lose' }, GATEWAY]],
  ] as readonly (readonly [string, readonly Fate[]])[])(`${name} that %s becomes one turn`, async (_name, fates) => {
    await using scene = await startScriptedClient((response, call) => answer(response, call, 'Hello.'), {
      fate: sends(...fates),
    });
    const chat = scene.model.startChat();
    expect(await ask(chat)).toBe('Hello.');
    expect(await historyOf(chat)).toEqual([
      ['user', 'Hi'],
      ['bot', 'Hello.'],
    ]);
    expect(scene.upstream.calls.length).toBe(1);
    const asked = scene.proxy.seen.filter(({ path }) => SENDS.test(path) && !path.includes('?'));
    expect(asked.length).toBe(fates.length + 1);
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  test(`${name} that arrives only after it was sent again is not asked of the model twice`, async () => {
    const way = Promise.withResolvers<void>();
    const late = Promise.withResolvers<number | undefined>();
    await using scene = await startScriptedClient((response, call) => answer(response, call, 'Hello.'), {
      fate: sends({ kind: 'late', until: way.promise, onAnswer: late.resolve }),
    });
    const chat = scene.model.startChat();
    expect(await ask(chat)).toBe('Hello.');
    way.resolve();
    expect(await late.promise).toBe(200);
    expect((await historyOf(chat)).length).toBe(2);
    expect(scene.upstream.calls.length).toBe(1);
  });

  test(`${name} that nobody ever answers is an error after a few attempts`, async () => {
    await using scene = await startScriptedClient((response, call) => answer(response, call, 'Hello.'), {
      fate: sends(...Array.from({ length: 100 }, (): Fate => ({ kind: 'drop' }))),
    });
    const error = await errorOf<ChatProxyError>(ask(scene.model.startChat()));
    expect(error).toMatchObject({ name: 'ChatProxyError', code: undefined, status: undefined, retryable: true });
    expect(scene.proxy.count('POST', SENDS)).toBe(4);
    expect(scene.upstream.calls).toEqual([]);
  });
}

test('the stream of a message that was sent again goes on while the turn runs, and is gone on with when it breaks', async () => {
  const gate = Promise.withResolvers<void>();
  const fate = sends(
    { kind: 'lose', at: 'headers' },
    { kind: 'break', after: /event: candidate\.delta\ndata: .*\n\n/, how: 'reset', isServiceTold: true },
  );
  await using scene = await startScriptedClient(
    async (response) => {
      asStream(response).write(event(said('Once ')) + event(said('upon ')));
      await gate.promise;
      response.end(event(said('a time.', 'STOP')));
    },
    { fate },
  );
  const reading = scene.model.startChat().sendMessageStreaming('Hi', CONTINUE);
  expect((await reading.next()).value).toMatchObject({ text: 'Once ' });
  expect((await reading.next()).value).toMatchObject({ text: 'upon ' });
  gate.resolve();
  expect(textOf(await readAll(reading))).toBe('a time.');
  expect(await reading.turn).toMatchObject({ state: 'COMMITTED', text: 'Once upon a time.' });
  expect(scene.upstream.calls.length).toBe(1);
});

test('with onDisconnect: cancel a message that was heard is cancelled with its connection, and is not asked again', async () => {
  await using scene = await startScriptedClient(
    (response) => {
      asStream(response).write(event(said('Once ')));
    },
    { fate: sends({ kind: 'lose', at: 'headers' }) },
  );
  const chat = scene.model.startChat();
  const reading = chat.sendMessageStreaming('Hi');
  const error = await errorOf<ChatProxyError>(readAll(reading));
  expect(error).toMatchObject({ code: undefined, retryable: true, turnId: reading.turnId });
  expect(error.message).toContain('onDisconnect: "cancel"');
  expect(await chat.turn(reading.turnId)).toMatchObject({ state: 'CANCELLED' });
  expect(scene.upstream.calls.length).toBe(1);
});

test('a refusal of the service is not sent again', async () => {
  await using scene = await startScriptedClient((response) => {
    asStream(response).write(event(said('Once ')));
  });
  const chat = scene.model.startChat();
  const running = chat.sendMessageStreaming('Hi');
  await running.next();
  for (const [, ask] of WAYS) expect(await errorOf(ask(chat))).toMatchObject({ code: 'turn_in_progress' });
  expect(scene.proxy.count('POST', SENDS)).toBe(3);
  await running.return();
  await until('the model was left', () => scene.upstream.calls.length === 1);
});

test('a turn id that is taken is refused, also to the same message', async () => {
  await using scene = await startScriptedClient((response, call) => answer(response, call, 'Hello.'));
  const chat = scene.model.startChat();
  await chat.sendMessage('Hi', { turnId: 'it' });
  expect(await errorOf(chat.sendMessage('Hi', { turnId: 'it' }))).toMatchObject({ code: 'turn_exists' });
});
