// What a process knows of sessions: the same as the store, or nothing.

import { describe, expect, it } from 'vitest';
import { KnownSessions } from '../../src/chat/known-sessions.ts';
import { ChatScene } from '../support/chat-scene.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SESSION = { epoch: 1, version: 1, config: { model: 'm' }, history: [] } as const;
const key = (sessionId: string) => ({ owner: 'alice', sessionId });

/** What the store was asked for, by the names of its members. */
function watched() {
  const asked: string[] = [];
  const storeAsSeen = (store: ChatScene['store']) => ({
    read: (...args: Parameters<typeof store.read>) => {
      asked.push('read');
      return store.read(...args);
    },
    begin: async (...args: Parameters<typeof store.begin>) => {
      const begun = await store.begin(...args);
      asked.push(begun.outcome === 'begun' ? `begin, ${begun.history?.length ?? 'no'} messages` : begun.outcome);
      return begun;
    },
  });
  return { asked, storeAsSeen };
}

async function say(scene: ChatScene, question: string, answer: string) {
  const turn = await scene.open().sendMessageStreaming({ parts: [{ text: question }], overrides: {} });
  scene.model.call.text(answer, 'STOP');
  scene.model.call.end();
  return turn.ended;
}

function textsOf(scene: ChatScene): readonly unknown[] {
  return scene.model.call.request.contents.flatMap(({ parts }) => parts.map(({ text }) => text));
}

const BROUGHT = [
  { author: 'user', parts: [{ text: 'zero' }] },
  { author: 'bot', parts: [{ text: 'said' }] },
] as const;

describe('a session that this process has made', () => {
  it('is not read for its first turn, with the history that it was made with', async () => {
    const { asked, storeAsSeen } = watched();
    const scene = new ChatScene({ storeAsSeen });
    await scene.session({ messageHistory: BROUGHT });
    await say(scene, 'one', 'two');
    expect(asked).toEqual(['begin, no messages']);
    expect(textsOf(scene)).toEqual(['zero', 'said', 'one']);
    expect((await scene.history()).map(({ content }) => content)).toEqual(['zero', 'said', 'one', 'two']);
  });

  it('is read for its first turn when it was made under an idempotency key, which may have made it before', async () => {
    const { asked, storeAsSeen } = watched();
    const scene = new ChatScene({ storeAsSeen });
    await scene.session({ messageHistory: BROUGHT }, { key: 'k', fingerprint: 'f' });
    await say(scene, 'one', 'two');
    expect(asked).toEqual(['read', 'begin, 2 messages']);
  });
});

describe('a session that this process has answered in', () => {
  it('is not read again for its next turn', async () => {
    const { asked, storeAsSeen } = watched();
    const scene = new ChatScene({ storeAsSeen });
    await scene.session();
    await say(scene, 'one', 'two');
    asked.length = 0;
    await say(scene, 'three', 'four');
    expect(asked).toEqual(['begin, no messages']);
    expect(textsOf(scene)).toEqual(['one', 'two', 'three']);
    expect((await scene.history()).map(({ content }) => content)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('is known without the turn that did not commit', async () => {
    const scene = new ChatScene();
    await scene.session();
    await say(scene, 'one', 'two');
    const failed = await scene.open().sendMessageStreaming({ parts: [{ text: 'no' }], overrides: {} });
    scene.model.call.fail(new Error('broken'));
    await failed.ended;
    await say(scene, 'three', 'four');
    expect(textsOf(scene)).toEqual(['one', 'two', 'three']);
  });

  it('is read again after another replica has answered in it', async () => {
    const { asked, storeAsSeen } = watched();
    const scene = new ChatScene({ storeAsSeen });
    const other = new ChatScene({}, scene);
    await scene.session();
    await say(scene, 'one', 'two');
    await say(other, 'three', 'four');
    asked.length = 0;
    await say(scene, 'five', 'six');
    expect(asked).toEqual(['stale', 'read', 'begin, 4 messages']);
    expect(textsOf(scene)).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it.each<[string, (scene: ChatScene) => Promise<unknown>]>([
    ['changed', (other) => other.open().update({ context: 'Be terse.' })],
    ['rewound', (other) => other.open().rewind({ toLength: 0 })],
    [
      'made again',
      (other) =>
        other
          .open()
          .delete()
          .then(() => other.session()),
    ],
  ])('is read again after it was %s by another replica', async (_how, change) => {
    const scene = new ChatScene();
    const other = new ChatScene({}, scene);
    await scene.session();
    await say(scene, 'one', 'two');
    await change(other);
    await say(scene, 'three', 'four');
    const { context } = scene.model.call.request;
    expect([context, ...textsOf(scene)]).toEqual(
      _how === 'changed' ? ['Be terse.', 'one', 'two', 'three'] : [undefined, 'three'],
    );
  });

  it('is refused as it is, not as it was', async () => {
    const scene = new ChatScene();
    const other = new ChatScene({}, scene);
    await scene.session();
    await scene.open().update({ contextWindow: { maxMessages: 2, onOverflow: 'reject' } });
    await say(scene, 'one', 'two').catch(() => undefined);
    await other.open().update({ contextWindow: null });
    const turn = await say(scene, 'three', 'four');
    expect(turn.state).toBe('COMMITTED');
  });

  it('that was changed while its turn ran is read again', async () => {
    const scene = new ChatScene();
    await scene.session();
    const turn = await scene.open().sendMessageStreaming({ parts: [{ text: 'one' }], overrides: {} });
    await scene.open().update({ context: 'Be terse.' });
    scene.model.call.text('two', 'STOP');
    scene.model.call.end();
    await turn.ended;
    await say(scene, 'three', 'four');
    expect(scene.model.call.request.context).toBe('Be terse.');
  });
});

describe('what is known', () => {
  it('makes no room for sessions that were only made', () => {
    const known = new KnownSessions(new ManualClock(), { bytesMax: 10_000, idleMs: 1000 });
    for (const id of ['a', 'b', 'c', 'd']) known.keep(key(id), { ...SESSION, bytes: 1000 });
    known.keepNew(key('e'), { ...SESSION, bytes: 1000 });
    expect(['a', 'b', 'c', 'd', 'e'].map((id) => known.find(key(id)) !== undefined)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    known.forget(key('a'));
    known.keepNew(key('e'), { ...SESSION, bytes: 1000 });
    expect(known.find(key('e'))).toBeDefined();
  });

  it('is no more than there is room for, the latest first', () => {
    const known = new KnownSessions(new ManualClock(), { bytesMax: 10_000, idleMs: 1000 });
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) known.keep(key(id), { ...SESSION, bytes: 1000 });
    expect(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => known.find(key(id)) !== undefined)).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
    ]);
    known.keep(key('large'), { ...SESSION, bytes: 5000 });
    expect(known.find(key('large'))).toBeUndefined();
    expect(known.find(key('f'))).toBeDefined();
  });

  it('is nothing without room', () => {
    const known = new KnownSessions(new ManualClock(), { bytesMax: 0, idleMs: 1000 });
    known.keep(key('a'), { ...SESSION, bytes: 0 });
    expect(known.find(key('a'))).toBeUndefined();
  });

  it('is forgotten when nobody has asked for so long', async () => {
    const clock = new ManualClock();
    const known = new KnownSessions(clock, { bytesMax: 10_000, idleMs: 1000 });
    known.keep(key('a'), { ...SESSION, bytes: 0 });
    await clock.advance(900);
    known.keep(key('b'), { ...SESSION, bytes: 0 });
    await clock.advance(1100);
    expect(known.find(key('a'))).toBeUndefined();
    await clock.advance(1000);
    expect(known.find(key('b'))).toBeUndefined();
  });
});
