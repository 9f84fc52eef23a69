// The log of a running turn as it comes into the store: what is written when, and what is made up for.

import { afterEach, describe, expect, it } from 'vitest';
import type { EventBatch } from '../../src/chat/turn-store.ts';
import {
  ask,
  ChatScene,
  eventsOf,
  FLUSH_BYTES,
  FLUSH_MS,
  type SceneOptions,
  SOON_MS,
  storedEvents,
  typesOf,
} from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';
import { storeAway } from '../support/wrapped-store.ts';

let scene: ChatScene;

afterEach(async () => {
  await settle();
  expect(scene.running.count).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

async function begin(storeAsSeen?: SceneOptions['storeAsSeen'], options: SceneOptions = {}) {
  scene = new ChatScene({ ...options, ...(storeAsSeen ? { storeAsSeen } : {}) });
  const session = await scene.session();
  const turn = await session.sendMessageStreaming(ask('Hi'));
  await settle();
  return { session, turn, call: scene.model.call };
}

const QUIET_FLUSH_MS = 250;

describe('the log in the store', () => {
  /** A turn whose appends are written down. */
  async function watched(options: SceneOptions = {}) {
    const appends: EventBatch[] = [];
    const storeAsSeen: SceneOptions['storeAsSeen'] = (store) => ({
      append: (key, epoch, batch) => {
        appends.push(batch);
        return store.append(key, epoch, batch);
      },
    });
    const begun = await begin(storeAsSeen, options);
    return { ...begun, appends };
  }

  it('has the first chunk soon', async () => {
    const { turn, call, appends } = await watched();
    expect(appends).toEqual([]);
    call.text('Hel');
    await scene.clock.advance(SOON_MS);
    expect(appends.map(({ afterSeq, lastSeq }) => [afterSeq, lastSeq])).toEqual([[0, 2]]);
    expect(typesOf(await storedEvents(scene, turn))).toEqual(['turn.started', 'candidate.delta']);
    turn.cancel();
    await turn.ended;
  });

  it('gets what follows together, after a while', async () => {
    const { turn, call, appends } = await watched();
    call.text('first');
    await scene.clock.advance(FLUSH_MS);
    const before = appends.length;
    for (let i = 0; i < 10; i += 1) {
      call.text(`${i}`);
      await settle();
    }
    await scene.clock.advance(FLUSH_MS - 1);
    expect(appends).toHaveLength(before);
    await scene.clock.advance(1);
    expect(appends.slice(before).map(({ afterSeq, lastSeq }) => [afterSeq, lastSeq])).toEqual([[2, 12]]);
    turn.cancel();
    await turn.ended;
  });

  it('does not wait when there is much', async () => {
    const { turn, call, appends } = await watched();
    call.text('first');
    await scene.clock.advance(FLUSH_MS);
    const before = appends.length;
    call.text('x'.repeat(FLUSH_BYTES));
    await scene.clock.advance(SOON_MS);
    expect(appends).toHaveLength(before + 1);
    turn.cancel();
    await turn.ended;
  });

  it('gets what follows seldom while nobody watches from elsewhere, and often while somebody does', async () => {
    const { session, turn, call, appends } = await watched({ quietFlushMs: QUIET_FLUSH_MS });
    const lastFlushed = () => appends.at(-1)?.lastSeq;
    call.text('first');
    await scene.clock.advance(SOON_MS);
    call.text('second');
    await scene.clock.advance(QUIET_FLUSH_MS - 1);
    expect(lastFlushed()).toBe(2);
    const watch = await scene.store.watch(session.key, () => undefined);
    await scene.clock.advance(1);
    expect(lastFlushed()).toBe(3);
    call.text('third');
    await scene.clock.advance(FLUSH_MS);
    expect(lastFlushed()).toBe(4);
    watch.close();
    // As the store has said last.
    call.text('fourth');
    await scene.clock.advance(FLUSH_MS);
    call.text('fifth');
    await scene.clock.advance(FLUSH_MS);
    expect(lastFlushed()).toBe(5);
    turn.cancel();
    await turn.ended;
  });

  it('gets its first sign before the first chunk when the model thinks for long', async () => {
    const { turn } = await watched();
    await scene.clock.advance(FLUSH_MS);
    expect(typesOf(await storedEvents(scene, turn))).toEqual(['turn.started']);
    turn.cancel();
    await turn.ended;
  });

  it('gets the rest with the end, so that a short turn is one write', async () => {
    const { turn, call, appends } = await watched();
    call.text('Hello', 'STOP');
    call.end();
    await turn.ended;
    expect(appends).toHaveLength(0);
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });

  it('never holds up a viewer or the model: a store that is away gets everything with the end', async () => {
    const { turn, call } = await begin(() => ({ append: () => Promise.reject(storeAway()) }));
    for (const text of ['a', 'b', 'c']) {
      call.text(text);
      await scene.clock.advance(1000);
    }
    expect(typesOf(eventsOf(turn))).toEqual(['turn.started', ...Array(3).fill('candidate.delta')]);
    expect(await storedEvents(scene, turn)).toEqual([]);
    call.text('', 'STOP');
    call.end();
    expect((await turn.ended).state).toBe('COMMITTED');
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });

  it('has every event once although replies were lost', async () => {
    let calls = 0;
    const { turn, call } = await begin((store) => ({
      async append(...args) {
        const appended = await store.append(...args);
        calls += 1;
        if (calls % 2 === 1) throw storeAway();
        return appended;
      },
    }));
    for (const text of ['a', 'b', 'c', 'd']) {
      call.text(text);
      await scene.clock.advance(3 * FLUSH_MS);
    }
    call.text('', 'STOP');
    call.end();
    await turn.ended;
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });

  it('catches up while the turn still runs, after a reply was lost', async () => {
    let calls = 0;
    const { turn, call } = await begin((store) => ({
      async append(...args) {
        const appended = await store.append(...args);
        calls += 1;
        if (calls === 1) throw storeAway();
        return appended;
      },
    }));
    call.text('a');
    await settle();
    call.text('b');
    await scene.clock.advance(5 * FLUSH_MS);
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
    turn.cancel();
    await turn.ended;
  });

  it('is whole when the reply to the last append before the end was lost', async () => {
    const { turn, call } = await begin((store) => ({
      async append(...args) {
        await store.append(...args);
        throw storeAway();
      },
    }));
    call.text('Hello', 'STOP');
    call.end();
    expect((await turn.ended).state).toBe('COMMITTED');
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });

  it('gets what came while an append was on its way, without waiting for more to come', async () => {
    const gate = Promise.withResolvers<void>();
    const { turn, call } = await begin((store) => ({
      async append(...args) {
        await gate.promise;
        return store.append(...args);
      },
    }));
    call.text('a');
    await settle();
    call.text('b');
    await scene.clock.advance(5 * FLUSH_MS);
    gate.resolve();
    await scene.clock.advance(FLUSH_MS);
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
    turn.cancel();
    await turn.ended;
  });

  it('is asked by one append of a turn at a time', async () => {
    let open = 0;
    let most = 0;
    const release: (() => void)[] = [];
    const { turn, call } = await begin((store) => ({
      async append(...args) {
        open += 1;
        most = Math.max(most, open);
        await new Promise<void>((resolve) => release.push(resolve));
        open -= 1;
        return store.append(...args);
      },
    }));
    for (let i = 0; i < 5; i += 1) {
      call.text('x'.repeat(FLUSH_BYTES));
      await scene.clock.advance(FLUSH_MS);
      if (i % 2 === 1) release.shift()?.();
    }
    call.text('', 'STOP');
    call.end();
    await settle();
    while (release.length > 0) {
      release.shift()?.();
      await settle();
    }
    expect((await turn.ended).state).toBe('COMMITTED');
    expect(most).toBe(1);
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });
});
