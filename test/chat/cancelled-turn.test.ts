// A turn that is cancelled: from here or from another replica, what stays of it, and who wins when it ends by itself.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Part } from '../../src/chat/content.ts';
import { ask, eventsOf, LEASE_MS, storedEvents, typesOf } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';
import { ViewScene } from '../support/view-scene.ts';

let scene: ViewScene;

beforeEach(async () => {
  scene = new ViewScene();
  await scene.here.session();
});

afterEach(async () => {
  await settle();
  expect(scene.here.running.count).toBe(0);
  expect(scene.there.followed.count).toBe(0);
  expect(scene.watches).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

/** The history as `author: content`. */
async function history(): Promise<readonly string[]> {
  return (await scene.here.history()).map(({ author, content }) => `${author}: ${content}`);
}

/** What the model is asked with next. */
async function nextContents(): Promise<readonly string[]> {
  const turn = await scene.begin('next');
  const { contents } = scene.here.model.call.request;
  turn.cancel();
  await turn.ended;
  return contents.map(({ author, parts }) => `${author}: ${parts.map(({ text }) => text).join('|')}`);
}

/** Requests reach the producer at once, as over the channel of its replica. */
function connect(): void {
  scene.here.store.onCancel(({ key, epoch, keep }) => scene.here.running.cancel(key, epoch, keep));
}

describe('a turn cancelled on its own replica', () => {
  it('is answered once it has settled, with the model aborted and nothing in the history', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    const { call } = scene.here.model;
    const cancelled = await scene.here.open().cancel('t', 'none');
    expect(call.signal.aborted).toBe(true);
    expect(cancelled).toMatchObject({ state: 'CANCELLED', text: 'Hel', isBlocked: false });
    expect(cancelled).not.toHaveProperty('messages');
    expect(cancelled).not.toHaveProperty('chosenCandidate');
    expect(await scene.here.storedTurn('t')).toEqual(cancelled);
    expect(typesOf(eventsOf(turn))).toEqual(['turn.started', 'candidate.delta', 'turn.cancelled']);
    expect(await storedEvents(scene.here, turn)).toEqual(eventsOf(turn));
    expect(await history()).toEqual([]);
    expect(await scene.here.open().read()).toMatchObject({ version: 1, messageCount: 0 });
    expect(await nextContents()).toEqual(['user: Hi']);
  });

  it('enters the history with what was said when that is to be kept', async () => {
    await scene.begin();
    await scene.say('Hel');
    const cancelled = await scene.here.open().cancel('t', 'partial');
    expect(cancelled).toMatchObject({ state: 'CANCELLED', text: 'Hel', sessionVersion: 2 });
    expect(await history()).toEqual(['user: Hi', 'bot: Hel']);
    expect((await scene.here.history()).map(({ id }) => id)).toEqual(cancelled.messages);
    expect(await scene.here.open().read()).toMatchObject({ version: 2, messageCount: 2 });
    expect(await nextContents()).toEqual(['user: Hi', 'bot: Hel', 'user: Hi']);
  });

  it.each<[string, readonly Part[]]>([
    ['nothing was said', []],
    ['a function call is open', [{ text: 'Hel' }, { functionCall: { name: 'f', args: {} } }]],
    ['only thoughts were said', [{ text: 'hm', thought: true }]],
  ])('leaves the history as it was when %s, whatever is to be kept', async (_what, parts) => {
    await scene.begin();
    if (parts.length > 0) scene.here.model.call.say({ candidates: [{ index: 0, parts }] });
    await settle();
    const cancelled = await scene.here.open().cancel('t', 'partial');
    expect(cancelled.state).toBe('CANCELLED');
    expect(cancelled).not.toHaveProperty('messages');
    expect(await history()).toEqual([]);
    expect(await nextContents()).toEqual(['user: Hi']);
  });

  it('keeps the visible text of the first candidate alone: no thought, no other candidate', async () => {
    await scene.begin();
    const { call } = scene.here.model;
    call.say({ candidates: [{ index: 1, parts: [{ text: 'other' }] }] });
    call.say({ candidates: [{ index: 0, parts: [{ text: 'hm', thought: true }, { text: 'Hel' }] }] });
    call.say({ candidates: [{ index: 0, parts: [{ text: 'lo', thoughtSignature: 'c2ln' }] }] });
    await settle();
    const cancelled = await scene.here.open().cancel('t', 'partial');
    expect(cancelled.candidates.map(({ text }) => text)).toEqual(['Hello', 'other']);
    expect((await scene.here.history())[1]?.parts).toEqual([{ text: 'Hello' }]);
  });

  it('counts the tokens that the model reported', async () => {
    await scene.begin();
    const usage = { promptTokens: 7, outputTokens: 2, totalTokens: 9 };
    scene.here.model.call.say({ candidates: [{ index: 0, parts: [{ text: 'Hel' }] }], usage });
    await settle();
    expect((await scene.here.open().cancel('t', 'none')).usage).toEqual(usage);
    expect((await scene.here.open().read()).usage).toMatchObject(usage);
  });

  it('keeps no figures with half an answer, which nobody has counted to its end', async () => {
    await scene.begin();
    const usage = { promptTokens: 7, outputTokens: 1 };
    scene.here.model.call.say({ candidates: [{ index: 0, parts: [{ text: 'Hel' }] }], usage });
    await settle();
    await scene.here.open().cancel('t', 'partial');
    expect((await scene.here.history()).map((message) => Object.hasOwn(message, 'measured'))).toEqual([false, false]);
  });

  it('is cancelled once: the second request gets the same turn, and cannot change what is kept', async () => {
    await scene.begin();
    await scene.say('Hel');
    const session = scene.here.open();
    const answers = await Promise.all([session.cancel('t', 'none'), session.cancel('t', 'partial')]);
    answers.push(await session.cancel('t', 'partial'), await scene.there.open().cancel('t', 'partial'));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(await history()).toEqual([]);
    expect(scene.here.facts).toHaveLength(1);
  });

  it('works for an answer that comes whole', async () => {
    const turn = await scene.here.open().sendMessage(ask('Hi', { turnId: 't' }));
    await settle();
    expect((await scene.here.open().cancel('t', 'partial')).state).toBe('CANCELLED');
    expect((await turn.ended).state).toBe('CANCELLED');
    expect(await history()).toEqual([]);
  });
});

describe('a turn cancelled from another replica', () => {
  it('is told at once, and answered once it has settled', async () => {
    connect();
    const turn = await scene.begin();
    await scene.say('Hel');
    const cancelled = await scene.there.open().cancel('t', 'partial');
    expect(cancelled).toEqual(await turn.ended);
    expect(cancelled).toMatchObject({ state: 'CANCELLED', text: 'Hel' });
    expect(await history()).toEqual(['user: Hi', 'bot: Hel']);
  });

  it.each([
    ['with its next words', 'words'],
    ['with the next renewal of its lease', 'silence'],
  ])('is told %s when the message is lost', async (_when, what) => {
    await scene.begin();
    await scene.say('Hel');
    const { call } = scene.here.model;
    const answer = scene.there.open().cancel('t', 'partial');
    await settle();
    expect(call.signal.aborted).toBe(false);
    if (what === 'words') await scene.say('lo');
    else await scene.clock.advance(LEASE_MS / 4);
    expect(call.signal.aborted).toBe(true);
    expect((await answer).state).toBe('CANCELLED');
    expect(await history()).toEqual(['user: Hi', what === 'words' ? 'bot: Hello' : 'bot: Hel']);
  });

  it('is decided by the first request', async () => {
    await scene.begin();
    await scene.say('Hel');
    const answers = [scene.there.open().cancel('t', 'none'), scene.there.open().cancel('t', 'partial')];
    await scene.clock.advance(LEASE_MS / 4);
    for (const answer of answers) expect((await answer).state).toBe('CANCELLED');
    expect(await history()).toEqual([]);
  });

  it('that commits before it is told stays committed, and the answer says so', async () => {
    const turn = await scene.begin();
    scene.here.model.call.text('Hello', 'STOP');
    await settle();
    const answer = scene.there.open().cancel('t', 'none');
    await settle();
    scene.here.model.call.end();
    await turn.ended;
    expect((await answer).state).toBe('COMMITTED');
    expect(await history()).toEqual(['user: Hi', 'bot: Hello']);
    const next = await scene.begin('next');
    await scene.clock.advance(LEASE_MS / 4);
    expect(scene.here.running.count).toBe(1);
    next.cancel();
    await next.ended;
  });

  it('that is on its way to the store is not cancelled any more', async () => {
    const gate = Promise.withResolvers<void>();
    const { finish } = scene.here.store;
    scene.here.store.finish = async (...args) => {
      await gate.promise;
      return finish.apply(scene.here.store, args);
    };
    connect();
    await scene.begin();
    scene.here.model.call.text('Hello', 'STOP');
    scene.here.model.call.end();
    await settle();
    const answers = [scene.here.open().cancel('t', 'none'), scene.there.open().cancel('t', 'none')];
    await settle();
    gate.resolve();
    for (const answer of answers) expect((await answer).state).toBe('COMMITTED');
    expect(await history()).toEqual(['user: Hi', 'bot: Hello']);
  });

  it('whose producer has died is answered when it has been reaped', async () => {
    await scene.begin();
    await scene.say('Hel');
    scene.here.store.renew = () => Promise.reject(new Error('dead'));
    await scene.clock.advance(LEASE_MS - 10_000);
    const answer = scene.there.open().cancel('t', 'none');
    await scene.clock.advance(10_200);
    expect(await answer).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost' } });
    scene.here.model.call.end();
  });

  it('that does not settle in 20 s is answered as it is, and settles later', async () => {
    const turn = await scene.begin();
    const { append } = scene.here.store;
    const { renew } = scene.here.store;
    scene.here.store.renew = async (...args) => {
      await renew.apply(scene.here.store, args);
      return { outcome: 'renewed' };
    };
    scene.here.store.append = async (...args) => {
      await append.apply(scene.here.store, args);
      return { outcome: 'appended' };
    };
    const answer = scene.there.open().cancel('t', 'none');
    await scene.clock.advance(19_999);
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    await settle();
    expect(isAnswered).toBe(false);
    await scene.clock.advance(1);
    expect((await answer).state).toBe('RUNNING');
    turn.cancel();
    await turn.ended;
  });
});

describe('a cancel of what does not run', () => {
  it.each(['here', 'there'] as const)('leaves a turn that is over as it is, asked %s', async (place) => {
    await scene.run('t');
    const turn = await scene[place].open().turn('t');
    expect(await scene[place].open().cancel('t', 'partial')).toEqual(turn);
    expect(await history()).toEqual(['user: Hi', 'bot: answer of t']);
  });

  it('finds neither an unknown turn nor one of a session that is gone', async () => {
    await expect(scene.here.open().cancel('nobody', 'none')).rejects.toMatchObject({ code: 'turn_not_found' });
    const turn = await scene.begin();
    const answer = scene.there.open().cancel('t', 'none');
    const refused = expect(answer).rejects.toMatchObject({ code: 'session_not_found' });
    await settle();
    await scene.here.open().delete();
    await turn.ended;
    await refused;
    await expect(scene.there.open().cancel('t', 'none')).rejects.toMatchObject({ code: 'session_not_found' });
  });
});
