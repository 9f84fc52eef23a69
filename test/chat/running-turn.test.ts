// A turn that goes well, from its beginning to its end, as its viewers and the store see it; and the drain.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, ChatScene, eventsOf, storedEvents, typesOf } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';

let scene: ChatScene;

beforeEach(() => {
  scene = new ChatScene();
});

afterEach(async () => {
  await settle();
  // Whatever has happened: no turn, no timer, no lease is left behind.
  expect(scene.running.count).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

describe('a turn that goes well', () => {
  it('enters the history with its question once the answer is complete', async () => {
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi'));
    await settle();
    scene.model.call.text('Hel');
    scene.model.call.text('lo', 'STOP');
    await settle();
    expect(await scene.history()).toEqual([]);
    scene.model.call.end();
    const ended = await turn.ended;
    expect(ended).toMatchObject({ state: 'COMMITTED', text: 'Hello', chosenCandidate: 0, sessionVersion: 2 });
    const history = await scene.history();
    expect(history.map(({ author, content, turnId }) => [author, content, turnId])).toEqual([
      ['user', 'Hi', turn.turnId],
      ['bot', 'Hello', turn.turnId],
    ]);
    expect(history.map(({ id }) => id)).toEqual(ended.messages);
    expect(await scene.storedTurn(turn.turnId)).toEqual(ended);
    expect(await session.read()).toMatchObject({ version: 2, messageCount: 2 });
  });

  it('tells every viewer the same events, here and on other replicas', async () => {
    const turn = await (await scene.session()).sendMessageStreaming(ask('Hi'));
    await settle();
    scene.model.call.text('Hel');
    await settle();
    scene.model.call.text('lo', 'STOP');
    scene.model.call.end();
    const ended = await turn.ended;
    const events = eventsOf(turn);
    expect(typesOf(events)).toEqual([
      'turn.started',
      'candidate.delta',
      'candidate.delta',
      'candidate.finished',
      'turn.committed',
    ]);
    expect(await storedEvents(scene, turn)).toEqual(events);
    expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((seq) => `${turn.epoch}-${seq}`));
    expect(events[0]?.data).toMatchObject({ sessionId: 's', turnId: turn.turnId, model: 'test-model' });
    expect(events.at(-1)?.data).toMatchObject({ state: 'COMMITTED', messages: ended.messages, sessionVersion: 2 });
    expect(events.at(-1)?.data).not.toHaveProperty('text');
    expect(turn.log.hasEnded).toBe(true);
  });

  it('asks the model with the whole history, and the new question last', async () => {
    const session = await scene.session();
    for (const [question, answer] of [
      ['one', 'first'],
      ['two', 'second'],
    ] as const) {
      const turn = await session.sendMessageStreaming(ask(question));
      scene.model.call.text(answer, 'STOP');
      scene.model.call.end();
      await turn.ended;
    }
    const turn = await session.sendMessageStreaming(ask('three', { overrides: { temperature: 0 } }));
    const { contents, settings } = scene.model.call.request;
    expect(contents.map(({ author, parts }) => `${author}: ${parts[0]?.text}`)).toEqual([
      'user: one',
      'bot: first',
      'user: two',
      'bot: second',
      'user: three',
    ]);
    expect(settings).toEqual({ temperature: 0 });
    expect(eventsOf(turn)[0]?.data.sent).toEqual({ messages: 5, omittedMessages: 0 });
    turn.cancel();
    await turn.ended;
  });

  it('keeps what its request has cost with the answer, for the next estimates and for nobody to see', async () => {
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi'));
    scene.model.call.text('Hello', 'STOP');
    scene.model.call.say({ candidates: [], usage: { promptTokens: 3, outputTokens: 2, thoughtTokens: 50 } });
    scene.model.call.end();
    await turn.ended;
    const [question, answer] = await scene.history();
    const measured = { promptTokens: 3, outputTokens: 2, omittedMessages: 0, weightBeside: 0 };
    expect(answer).toMatchObject({ model: 'test-model', measured });
    expect(question).not.toHaveProperty('measured');
    const { items } = await session.messageHistory({ pageSize: 2, order: 'asc' });
    for (const message of items) expect(Object.keys(message)).not.toContain('measured');
  });

  it('keeps the parts verbatim, signatures and all', async () => {
    const turn = await (await scene.session()).sendMessageStreaming(ask('Hi'));
    const parts = [
      { text: 'hm', thought: true },
      { text: 'a', thoughtSignature: 'c2ln' },
      { text: 'b', unheardOf: [1] },
    ];
    for (const part of parts) scene.model.call.say({ candidates: [{ index: 0, parts: [part] }] });
    scene.model.call.text('', 'STOP');
    scene.model.call.end();
    await turn.ended;
    const [, bot] = await scene.history();
    expect(bot?.parts.slice(0, 3)).toEqual(parts);
    expect(bot?.content).toBe('ab');
  });

  it('works as one unary call as well', async () => {
    const turn = await (await scene.session()).sendMessage(ask('Hi'));
    expect(turn.hasAnswer).toBe(false);
    scene.model.call.say({ candidates: [{ index: 0, parts: [{ text: 'Hello' }] }], usage: { promptTokens: 3 } });
    await turn.answered;
    expect(turn.hasAnswer).toBe(true);
    const ended = await turn.ended;
    expect(ended).toMatchObject({ state: 'COMMITTED', text: 'Hello', usage: { promptTokens: 3, totalTokens: 3 } });
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });

  it('keeps all candidates while it is the newest, and its history has the chosen one', async () => {
    const turn = await (await scene.session()).sendMessageStreaming(ask('Hi', { candidateCount: 2 }));
    scene.model.call.say({
      candidates: [
        { index: 0, parts: [{ text: 'no' }], finishReason: 'SAFETY' },
        { index: 1, parts: [{ text: 'yes' }], finishReason: 'STOP' },
      ],
    });
    scene.model.call.end();
    await turn.ended;
    const stored = await scene.storedTurn(turn.turnId);
    expect(stored).toMatchObject({ chosenCandidate: 1, text: 'yes', candidates: [{ index: 0 }, { index: 1 }] });
    expect((await scene.history())[1]?.content).toBe('yes');
  });

  it('reports once what it was, without contents', async () => {
    const turn = await (await scene.session()).sendMessageStreaming(ask('Hi'));
    await scene.clock.advance(100);
    scene.model.call.text('Hello', 'STOP');
    await scene.clock.advance(200);
    scene.model.call.end();
    await turn.ended;
    expect(scene.facts).toHaveLength(1);
    expect(scene.facts[0]).toMatchObject({
      sessionId: 's',
      chunks: 1,
      firstChunkMs: 100,
      durationMs: 300,
      isStream: true,
    });
  });
});

describe('the drain', () => {
  it('lets no new turn begin, and is over when the running ones have finished', async () => {
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi'));
    let isOver = false;
    const draining = scene.running.drain(20_000).then(() => {
      isOver = true;
    });
    await expect(session.sendMessageStreaming(ask('Too late'))).rejects.toMatchObject({ code: 'draining' });
    await scene.clock.advance(10_000);
    expect(isOver).toBe(false);
    scene.model.call.text('Hello', 'STOP');
    scene.model.call.end();
    expect((await turn.ended).state).toBe('COMMITTED');
    await draining;
  });

  it('ends what is still running at its deadline', async () => {
    const turn = await (await scene.session()).sendMessageStreaming(ask('Hi'));
    const draining = scene.running.drain(20_000);
    await scene.clock.advance(20_000);
    await draining;
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'draining', retryable: true } });
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
    expect(scene.model.call.signal.aborted).toBe(true);
  });

  it('is over at once when nothing runs', async () => {
    await scene.running.drain(20_000);
    expect(scene.running.isDraining).toBe(true);
  });
});
