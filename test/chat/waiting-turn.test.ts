// A turn in line: when it looks at its place again.

import { expect, it } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { ChatError } from '../../src/chat/errors.ts';
import { notLatestTurn } from '../../src/chat/refusals.ts';
import type { News } from '../../src/chat/session-store.ts';
import { queuedTurn } from '../../src/chat/turn.ts';
import { type Attempted, WaitingTurn } from '../../src/chat/waiting-turn.ts';
import { describeProblem } from '../support/chat-scene.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';
import { storeAway, wrapStore } from '../support/wrapped-store.ts';

const KEY = { owner: 'alice', sessionId: 's' };
const HOLDER = { turnId: 'running', epoch: 1, hasLease: true, isWaiting: false };
const WAITS: Attempted = { outcome: 'waits', place: 1, holder: HOLDER };

/** A turn that waits until `isFree`, and then finds that somebody has ended it. */
function waitingTurn() {
  const shown = {
    isFree: false,
    isAway: false,
    isRefused: false,
    hasPlace: true,
    watches: 0,
    ring: (_news: News) => {},
    answers: Promise.resolve(),
  };
  const clock = new ManualClock();
  const memory = new MemorySessionStore(clock, { ledgerTurnsMax: 10, ledgerBytesMax: 1e6, sessionsMax: 10 });
  const store = wrapStore(memory, () => ({
    watch: async (_key, ring) => {
      await shown.answers;
      shown.ring = ring;
      shown.watches += 1;
      return {
        close: () => {
          shown.watches -= 1;
        },
      };
    },
    leave: async () => {
      if (shown.isAway) throw storeAway();
      return shown.hasPlace;
    },
  }));
  const start = { sessionId: 's', turnId: 't', model: 'm', createTime: '2026-01-01T00:00:00.000Z' };
  const turn = queuedTurn({ ...start, sent: { messages: 1, omittedMessages: 0 } });
  const waiting = new WaitingTurn(
    {
      key: KEY,
      turn,
      place: 1,
      isInterrupting: false,
      holder: HOLDER,
      attempt: async () => {
        if (shown.isRefused) throw notLatestTurn();
        return shown.isFree ? { outcome: 'left' } : WAITS;
      },
      readTurn: async () => ({ ...turn, state: 'CANCELLED' }),
      interrupt: async () => {},
    },
    {
      store,
      clock,
      leaseMs: 20_000,
      describe: describeProblem,
    },
  );
  return { shown, clock, waiting };
}

it.each(Array.from({ length: 12 }, (_, moments) => [moments]))(
  'looks at its place at a ring %i moments after the ring before, without the timer',
  async (moments) => {
    const { shown, waiting } = waitingTurn();
    let hasEnded = false;
    void waiting.ended.then(() => {
      hasEnded = true;
    });
    await waiting.start();
    await settle();
    shown.ring('step');
    for (let moment = 0; moment < moments; moment += 1) await undefined;
    shown.isFree = true;
    shown.ring('step');
    await settle();
    expect(hasEnded).toBe(true);
  },
);

it('ends at once when its process has to go and the store is away, as what nobody knows yet', async () => {
  const { shown, clock, waiting } = waitingTurn();
  await waiting.start();
  shown.isAway = true;
  waiting.stop(new ChatError('draining', 'Going.'));
  expect(await waiting.ended).toMatchObject({ state: 'FAILED', problem: { code: 'store_unavailable' } });
  expect(shown.watches).toBe(0);
  expect(clock.pending).toBe(0);
});

it('leaves no watch and no timer behind when it is cancelled before the store answers', async () => {
  const { shown, clock, waiting } = waitingTurn();
  const store = Promise.withResolvers<void>();
  shown.answers = store.promise;
  const started = waiting.start();
  waiting.cancel();
  await settle();
  store.resolve();
  await started;
  expect((await waiting.ended).state).toBe('CANCELLED');
  expect(shown.watches).toBe(0);
  expect(clock.pending).toBe(0);
});

it('ends with its refusal, or as somebody has ended it before', async () => {
  for (const [hasPlace, state] of [
    [true, 'FAILED'],
    [false, 'CANCELLED'],
  ] as const) {
    const { shown, clock, waiting } = waitingTurn();
    await waiting.start();
    shown.isRefused = true;
    shown.hasPlace = hasPlace;
    shown.ring('step');
    expect((await waiting.ended).state).toBe(state);
    expect(shown.watches).toBe(0);
    expect(clock.pending).toBe(0);
  }
});

it('is refused again later when the store does not take its end', async () => {
  const { shown, clock, waiting } = waitingTurn();
  await waiting.start();
  shown.isRefused = true;
  shown.isAway = true;
  shown.ring('step');
  await settle();
  shown.isAway = false;
  await clock.advance(5000);
  expect(await waiting.ended).toMatchObject({ state: 'FAILED', problem: { code: 'not_latest_turn' } });
  expect(clock.pending).toBe(0);
});
