// Turns that fail, are blocked, cancelled or lost: what their viewers learn, and that the history stays as it was.

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

  it.each<[string, object]>([
    ['its text', { parts: [{ text: 'lo', odd: 1n }] }],
    ['what is said at its end', { parts: [], finishReason: 'STOP', safetyRatings: [{ odd: 1n }] }],
    ['a part that is only kept', { parts: [{ functionCall: { name: 'f', args: { odd: 1n } } }], finishReason: 'STOP' }],
  ])('ends when %s cannot be written, and leaves its session free', async (_what, said) => {
    const { session, turn, call } = await halfWay();
    call.say({ candidates: [{ index: 0, parts: [], ...said }] });
    call.end();
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'internal' } });
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('turn.failed');
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
    expect(await scene.history()).toEqual([]);
    expect((await session.read()).activeTurnId).toBeUndefined();
    expect(scene.facts.at(-1)?.error?.cause).toBeInstanceOf(TypeError);
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
