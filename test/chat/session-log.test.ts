// The log of a session: what its reader makes of rings, at whatever moment they come.

import { expect, it } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { SessionLog } from '../../src/chat/session-log.ts';
import { encodeFrame } from '../../src/chat/turn-event.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';
import { wrapStore } from '../support/wrapped-store.ts';

const KEY = { owner: 'alice', sessionId: 's' };
const FRAMES = [1, 2].map((seq) =>
  encodeFrame(1, seq, { type: 'turn.queued', data: { sessionId: 's', turnId: 't', position: seq } }),
);

/** A log over a store that has the first `count` frames, and rings when it is told to. */
function logOf() {
  const shown = { count: 0, watches: 0, ring: () => {} };
  const clock = new ManualClock();
  const memory = new MemorySessionStore(clock, { ledgerTurnsMax: 10, ledgerBytesMax: 1e6, sessionsMax: 10 });
  const store = wrapStore(memory, () => ({
    watch: async (_key, ring) => {
      shown.ring = ring;
      shown.watches += 1;
      return {
        close: () => {
          shown.watches -= 1;
        },
      };
    },
    readEvents: async (_key, { seq: afterSeq }) =>
      FRAMES.slice(afterSeq, shown.count).map(({ seq, bytes }) => ({
        epoch: 1,
        afterSeq: seq - 1,
        lastSeq: seq,
        frames: bytes,
      })),
  }));
  const reap = async () => {};
  return { shown, clock, log: new SessionLog(KEY, { epoch: 1, seq: 0 }, { store, clock, followMs: 15_000, reap }) };
}

it.each(Array.from({ length: 12 }, (_, moments) => [moments]))(
  'reads what a ring %i moments after the ring before it tells of, without the timer',
  async (moments) => {
    const { shown, log } = logOf();
    await log.open();
    await settle();
    shown.count = 1;
    shown.ring();
    for (let moment = 0; moment < moments; moment += 1) await undefined;
    shown.count = 2;
    shown.ring();
    await settle();
    expect(log.lastSeq).toBe(2);
    log.close();
  },
);

it('leaves no watch and no timer behind when its viewer has gone before the store answers', async () => {
  const { shown, clock, log } = logOf();
  const opened = log.open();
  log.close();
  await opened;
  expect(shown.watches).toBe(0);
  expect(clock.pending).toBe(0);
});
