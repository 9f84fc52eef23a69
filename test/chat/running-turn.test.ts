// A turn from its beginning to its end, as its viewers and the store see it.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChatError } from '../../src/chat/errors.ts';
import { ask, ChatScene, eventsOf, LEASE_MS, storedEvents, TURN_LIMITS, typesOf } from '../support/chat-scene.ts';
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

const STOPPED = ['turn.started', 'candidate.delta', 'turn.failed'];

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

describe('a turn that does not commit', () => {
  /** Has said "Hel". */
  async function halfWay(options?: ConstructorParameters<typeof ChatScene>[0]) {
    scene = new ChatScene(options);
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi'));
    scene.model.call.text('Hel');
    await settle();
    return { session, turn, call: scene.model.call };
  }

  it('keeps the old history when the model fails midway, and the partial answer in the turn', async () => {
    const { session, turn, call } = await halfWay();
    call.fail(new ChatError('model_unreachable', 'the connection was cut'));
    const ended = await turn.ended;
    expect(ended).toMatchObject({ state: 'FAILED', text: 'Hel', problem: { code: 'model_unreachable' } });
    expect(typesOf(eventsOf(turn))).toEqual(STOPPED);
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
    expect(await scene.history()).toEqual([]);
    expect(await scene.storedTurn(turn.turnId)).toEqual(ended);
    expect(await session.read()).toMatchObject({ version: 1, messageCount: 0 });
    const next = await session.sendMessageStreaming(ask('Again'));
    expect(scene.model.call.request.contents).toHaveLength(1);
    next.cancel();
    await next.ended;
  });

  it('says nothing of an error that nobody expected', async () => {
    const { turn, call } = await halfWay();
    call.fail(new TypeError('secret detail'));
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'internal' } });
    expect(JSON.stringify(eventsOf(turn))).not.toContain('secret detail');
    expect(scene.facts[0]?.error?.cause).toBeInstanceOf(TypeError);
  });

  it('fails when the stream ends without a finish reason', async () => {
    const { turn, call } = await halfWay();
    call.end();
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'model_protocol_error' } });
    expect(await scene.history()).toEqual([]);
  });

  it('is blocked, with its text still readable and its tokens counted', async () => {
    const { session, turn, call } = await halfWay();
    call.say({
      candidates: [{ index: 0, parts: [], finishReason: 'SAFETY' }],
      usage: { promptTokens: 1, outputTokens: 2, totalTokens: 3 },
    });
    call.end();
    expect(await turn.ended).toMatchObject({ state: 'BLOCKED', text: 'Hel', isBlocked: true, blockReason: 'SAFETY' });
    expect(await scene.history()).toEqual([]);
    expect((await session.read()).usage.totalTokens).toBe(3);
  });

  it('is cancelled once, aborts the model, and a late cancel changes nothing', async () => {
    const { turn, call } = await halfWay();
    turn.cancel();
    turn.cancel();
    expect(call.signal.aborted).toBe(true);
    const ended = await turn.ended;
    expect(ended.state).toBe('CANCELLED');
    turn.cancel();
    expect(typesOf(eventsOf(turn))).toEqual(['turn.started', 'candidate.delta', 'turn.cancelled']);
    expect(await scene.history()).toEqual([]);
    expect(await scene.storedTurn(turn.turnId)).toEqual(ended);
  });

  it('aborts the model when the answer becomes too large', async () => {
    const { turn, call } = await halfWay({ limits: { answerSizeMax: 10 } });
    call.text('lo, this is too much');
    const ended = await turn.ended;
    expect(call.signal.aborted).toBe(true);
    expect(ended).toMatchObject({ state: 'FAILED', problem: { code: 'answer_too_large' } });
    expect(typesOf(eventsOf(turn))).toEqual(STOPPED);
  });

  it('aborts the model when the turn takes too long', async () => {
    const { turn, call } = await halfWay();
    await scene.clock.advance(TURN_LIMITS.turnTimeoutMs - 1);
    expect(call.signal.aborted).toBe(false);
    await scene.clock.advance(1);
    expect(call.signal.aborted).toBe(true);
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'model_timeout', retryable: true } });
  });

  it('ends for its viewers with turn.cancelled when the session is deleted here', async () => {
    const { session, turn, call } = await halfWay();
    await session.delete();
    expect((await turn.ended).state).toBe('CANCELLED');
    expect(call.signal.aborted).toBe(true);
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('turn.cancelled');
    await expect(session.read()).rejects.toMatchObject({ code: 'session_not_found' });
  });

  it('ends the same way when the session is deleted on another replica, at the latest with the next renewal', async () => {
    const { turn, call } = await halfWay();
    await new ChatScene({}, scene).open().delete();
    await scene.clock.advance(LEASE_MS / 4);
    expect(call.signal.aborted).toBe(true);
    expect((await turn.ended).state).toBe('CANCELLED');
  });

  it('ends the same way when it would have committed', async () => {
    const { turn, call } = await halfWay();
    await scene.store.delete(turn.key);
    call.text('lo', 'STOP');
    call.end();
    expect((await turn.ended).state).toBe('CANCELLED');
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('turn.cancelled');
  });

  it('says producer_lost when the store takes it for dead', async () => {
    let isFenced = false;
    const { turn, call } = await halfWay({
      storeAsSeen: (store) => ({
        renew: (...args) => (isFenced ? Promise.resolve({ outcome: 'fenced' }) : store.renew(...args)),
      }),
    });
    isFenced = true;
    await scene.clock.advance(LEASE_MS / 4);
    expect(call.signal.aborted).toBe(true);
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost', retryable: true } });
    expect(typesOf(eventsOf(turn))).toEqual(STOPPED);
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
