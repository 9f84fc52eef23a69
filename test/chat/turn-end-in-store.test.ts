// The end of a turn and its store, which may be slow, away, or of another opinion; and the lease that it keeps until then.

import { afterEach, describe, expect, it } from 'vitest';
import type { SessionStore } from '../../src/chat/session-store.ts';
import {
  ask,
  ChatScene,
  eventsOf,
  FLUSH_MS,
  LEASE_MS,
  type SceneOptions,
  storedEvents,
  TURN_LIMITS,
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

async function begin(storeAsSeen?: SceneOptions['storeAsSeen']) {
  scene = new ChatScene(storeAsSeen ? { storeAsSeen } : {});
  const session = await scene.session();
  const turn = await session.sendMessageStreaming(ask('Hi'));
  await settle();
  return { session, turn, call: scene.model.call };
}

describe('the end in the store', () => {
  it('is told to nobody before the store has it', async () => {
    const gate = Promise.withResolvers<void>();
    const { turn, call } = await begin((store) => ({
      async finish(...args) {
        const finished = await store.finish(...args);
        await gate.promise;
        return finished;
      },
    }));
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(1000);
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('candidate.finished');
    expect(turn.log.hasEnded).toBe(false);
    gate.resolve();
    await turn.ended;
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('turn.committed');
  });

  it('is read where it is produced as soon as the store has it: others may have been told of it', async () => {
    const gate = Promise.withResolvers<void>();
    const { session, turn, call } = await begin((store) => ({
      async finish(...args) {
        const finished = await store.finish(...args);
        await gate.promise;
        return finished;
      },
    }));
    expect((await session.turn(turn.turnId)).state).toBe('RUNNING');
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(1000);
    expect((await session.turn(turn.turnId)).state).toBe('COMMITTED');
    gate.resolve();
    await turn.ended;
  });

  it('is brought again while the store is away, and applied once', async () => {
    let calls = 0;
    const { session, turn, call } = await begin((store) => ({
      async finish(...args) {
        calls += 1;
        // Away, then executed with its answer lost, then away again.
        if (calls === 2) await store.finish(...args);
        if (calls < 4) throw storeAway();
        return store.finish(...args);
      },
    }));
    call.say({ candidates: [], usage: { promptTokens: 1, outputTokens: 1, totalTokens: 2 } });
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(5000);
    const ended = await turn.ended;
    expect(ended).toMatchObject({ state: 'COMMITTED', sessionVersion: 2 });
    expect(calls).toBe(4);
    expect(await scene.history()).toHaveLength(2);
    expect((await scene.history()).map(({ id }) => id)).toEqual(ended.messages);
    expect(await session.read()).toMatchObject({ version: 2, usage: { totalTokens: 2 } });
  });

  it('is shown as the store took it, also when it was taken by an attempt whose answer was lost', async () => {
    let calls = 0;
    const { turn, call } = await begin((store) => ({
      async finish(...args) {
        const finished = await store.finish(...args);
        calls += 1;
        if (calls === 1) throw storeAway();
        return finished;
      },
    }));
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(1000);
    expect(await turn.ended).toEqual(await scene.storedTurn(turn.turnId));
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
  });

  it('is unknown after the budget: the stream says store_unavailable, and the turn stays open', async () => {
    let calls = 0;
    const { turn, call } = await begin(() => ({
      finish() {
        calls += 1;
        return Promise.reject(storeAway());
      },
    }));
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(TURN_LIMITS.finishBudgetMs - 1000);
    expect(turn.log.hasEnded).toBe(false);
    await scene.clock.advance(3000);
    expect(await turn.ended).toMatchObject({
      state: 'FAILED',
      problem: { code: 'store_unavailable', retryable: false },
    });
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('turn.failed');
    expect(calls).toBeLessThan(20);
    expect((await scene.storedTurn(turn.turnId)).state).toBe('RUNNING');
    expect(await scene.history()).toEqual([]);
  });

  it('is not brought any more when it has been given up', async () => {
    let isAway = true;
    const { turn, call } = await begin((store) => ({
      finish: (...args) => (isAway ? Promise.reject(storeAway()) : store.finish(...args)),
    }));
    call.text('Hello', 'STOP');
    call.end();
    await settle();
    turn.giveUp();
    isAway = false;
    await scene.clock.advance(5000);
    expect((await turn.ended).problem?.code).toBe('store_unavailable');
    expect((await scene.storedTurn(turn.turnId)).state).toBe('RUNNING');
    expect(typesOf(await storedEvents(scene, turn))).not.toContain('turn.failed');
    expect(await scene.history()).toEqual([]);
  });

  it('has another id than a deletion that comes before it is brought again', async () => {
    const { turn, call } = await begin((store) => ({
      finish: async (...args) => {
        const finished = await store.finish(...args);
        if (finished.outcome === 'gone') return finished;
        throw storeAway();
      },
    }));
    call.text('Hello', 'STOP');
    call.end();
    await settle();
    const [taken] = (await storedEvents(scene, turn)).slice(-1);
    await scene.store.delete(turn.key);
    await scene.clock.advance(1000);
    const [told] = eventsOf(turn).slice(-1);
    expect([taken?.type, told?.type]).toEqual(['turn.committed', 'turn.cancelled']);
    expect(told?.id).not.toBe(taken?.id);
  });

  it('keeps the lease while it is brought again', async () => {
    let isAway = true;
    const { turn, call } = await begin((store) => ({
      finish: (...args) => (isAway ? Promise.reject(storeAway()) : store.finish(...args)),
    }));
    await scene.clock.advance(LEASE_MS - 2000);
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(12_000);
    const { running } = await scene.store.read(turn.key);
    expect(running?.leaseUntilMs).toBeGreaterThan(scene.clock.now());
    isAway = false;
    await scene.clock.advance(3000);
    expect((await turn.ended).state).toBe('COMMITTED');
  });

  it('is not believed lost when it is the lease that has gone with it', async () => {
    // The commit was executed and its answer lost: from then on a renewal finds no running turn any more.
    let calls = 0;
    const { turn, call } = await begin((store) => ({
      async finish(...args) {
        const finished = await store.finish(...args);
        calls += 1;
        if (calls < 8) throw storeAway();
        return finished;
      },
    }));
    call.text('Hello', 'STOP');
    call.end();
    await scene.clock.advance(LEASE_MS / 4 + 100);
    expect(turn.log.hasEnded).toBe(false);
    await scene.clock.advance(LEASE_MS / 4);
    expect((await turn.ended).state).toBe('COMMITTED');
    expect(typesOf(eventsOf(turn)).at(-1)).toBe('turn.committed');
    expect(await scene.history()).toHaveLength(2);
  });

  it('is refused to a turn that was reaped meanwhile, which its viewers learn as producer_lost', async () => {
    let isAway = false;
    const unlessAway = <T>(call: () => Promise<T>) => (isAway ? Promise.reject(storeAway()) : call());
    const { turn, call } = await begin((store) => ({
      renew: (...args) => unlessAway(() => store.renew(...args)),
      finish: (...args) => unlessAway(() => store.finish(...args)),
    }));
    call.text('Hel');
    isAway = true;
    await scene.clock.advance(LEASE_MS + 1000);
    const elsewhere = new ChatScene({}, scene);
    expect(await elsewhere.open().read()).not.toHaveProperty('activeTurnId');
    isAway = false;
    call.text('lo', 'STOP');
    call.end();
    expect(await turn.ended).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost' } });
    expect(await scene.history()).toEqual([]);
    expect(await elsewhere.open().turn(turn.turnId)).toMatchObject({ state: 'FAILED', text: '' });
  });

  it('names the version that it makes, also when the session was changed during the turn', async () => {
    const { session, turn, call } = await begin();
    await session.update({ displayName: 'new' });
    call.text('Hello', 'STOP');
    call.end();
    const ended = await turn.ended;
    expect(ended.sessionVersion).toBe(3);
    expect(eventsOf(turn).at(-1)?.data.sessionVersion).toBe(3);
    expect((await scene.storedTurn(turn.turnId)).sessionVersion).toBe(3);
    expect(await storedEvents(scene, turn)).toEqual(eventsOf(turn));
    expect(await session.read()).toMatchObject({ version: 3, displayName: 'new', messageCount: 2 });
  });

  it('waits for the append that is on its way', async () => {
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const { turn, call } = await begin((store): Partial<SessionStore> => {
      return {
        async append(...args) {
          await gate.promise;
          order.push('append');
          return store.append(...args);
        },
        finish(...args) {
          order.push('finish');
          return store.finish(...args);
        },
      };
    });
    call.text('Hello', 'STOP');
    await scene.clock.advance(FLUSH_MS);
    call.end();
    await settle();
    expect(order).toEqual([]);
    gate.resolve();
    await turn.ended;
    expect(order).toEqual(['append', 'finish']);
  });
});

describe('the lease', () => {
  it('is renewed four times in its time for all turns of the process, and no more once they have ended', async () => {
    const renewed: string[] = [];
    scene = new ChatScene({
      storeAsSeen: (store) => ({
        renew(key, ...args) {
          renewed.push(key.sessionId);
          return store.renew(key, ...args);
        },
      }),
    });
    const turns = [];
    for (const id of ['a', 'b']) {
      await scene.sessions.create('alice', { id });
      turns.push(await scene.sessions.open('alice', id).sendMessageStreaming(ask('Hi')));
    }
    await scene.clock.advance(LEASE_MS);
    expect(renewed).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
    for (const turn of turns) turn.cancel();
    await Promise.all(turns.map((turn) => turn.ended));
    await scene.clock.advance(LEASE_MS);
    expect(renewed).toHaveLength(8);
  });

  it('survives renewals that the store did not answer', async () => {
    let calls = 0;
    const { turn, call } = await begin((store) => ({
      renew(...args) {
        calls += 1;
        return calls <= 2 ? Promise.reject(storeAway()) : store.renew(...args);
      },
    }));
    await scene.clock.advance(2 * LEASE_MS);
    call.text('Hello', 'STOP');
    call.end();
    expect((await turn.ended).state).toBe('COMMITTED');
  });
});
