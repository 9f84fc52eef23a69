// The log of a session: what its reader makes of rings, at whatever moment they come.

import { describe, expect, it } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { SessionLog } from '../../src/chat/session-log.ts';
import type { News } from '../../src/chat/session-store.ts';
import { startedTurn } from '../../src/chat/turn.ts';
import { encodeFrame, terminalEvent } from '../../src/chat/turn-event.ts';
import { cancelledTurn } from '../../src/chat/unproduced-turn.ts';
import { aSession, begin } from '../store/builders.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';
import { wrapStore } from '../support/wrapped-store.ts';

const NOTHING = { messages: 0, omittedMessages: 0 };
const KEY = { owner: 'alice', sessionId: 's' };
const FRAMES = [1, 2].map((seq) =>
  encodeFrame(1, seq, { type: 'turn.queued', data: { sessionId: 's', turnId: 't', position: seq } }),
);

/** A log over a store that has the first `count` frames, and rings when it is told to. */
async function logOf() {
  const shown = { count: 0, watches: 0, ring: (_news: News) => {} };
  const clock = new ManualClock();
  const memory = new MemorySessionStore(clock, { ledgerTurnsMax: 10, ledgerBytesMax: 1e6, sessionsMax: 10 });
  await memory.create(KEY, aSession());
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
      FRAMES.slice(afterSeq, shown.count).map(({ seq, text }) => ({
        epoch: 1,
        afterSeq: seq - 1,
        lastSeq: seq,
        frames: text,
      })),
  }));
  const reap = async () => {};
  return { shown, clock, log: new SessionLog(KEY, { epoch: 1, seq: 0 }, { store, clock, followMs: 15_000, reap }) };
}

it.each(Array.from({ length: 12 }, (_, moments) => [moments]))(
  'reads what a ring %i moments after the ring before it tells of, without the timer',
  async (moments) => {
    const { shown, log } = await logOf();
    await log.open();
    await settle();
    shown.count = 1;
    shown.ring('step');
    for (let moment = 0; moment < moments; moment += 1) await undefined;
    shown.count = 2;
    shown.ring('step');
    await settle();
    expect(log.lastSeq).toBe(2);
    log.close();
  },
);

it('leaves no watch and no timer behind when its viewer has gone before the store answers', async () => {
  const { shown, clock, log } = await logOf();
  const opened = log.open();
  log.close();
  await opened;
  expect(shown.watches).toBe(0);
  expect(clock.pending).toBe(0);
});

describe('when its session is deleted', () => {
  const RULES = { ledgerTurnsMax: 10, ledgerBytesMax: 1e6, sessionsMax: 10 };

  /** A log, and its session with a turn that has said something. */
  async function logOfTurn() {
    const clock = new ManualClock();
    const store = new MemorySessionStore(clock, RULES);
    await store.create(KEY, aSession());
    const { turnId, epoch } = await begin(store, KEY);
    const reap = async () => {};
    const log = new SessionLog(KEY, { epoch, seq: 0 }, { store, clock, followMs: 15_000, reap });
    await log.open();
    const sent = { messages: 1, omittedMessages: 0 };
    const start = { sessionId: KEY.sessionId, turnId, model: 'm', createTime: '2026-01-01T00:00:00Z', sent };
    const { text: frames } = encodeFrame(epoch, 1, { type: 'turn.started', data: start });
    await store.append(KEY, epoch, { afterSeq: 0, lastSeq: 1, frames });
    await settle();
    return { store, clock, log, turnId, epoch };
  }

  it('ends at once, and with the end of the turn that it was telling', async () => {
    const { store, clock, log, turnId, epoch } = await logOfTurn();
    await store.delete(KEY);
    await settle();
    expect(log.hasEnded).toBe(true);
    expect(clock.pending).toBe(0);
    const last = log.frameAfter(1)?.text;
    expect(last).toMatch(new RegExp(`^id: ${epoch}-\\d+\nevent: turn.cancelled\ndata: .*"turnId":"${turnId}"`));
    expect(log.frameAfter(2)).toBeUndefined();
  });

  it('says nothing of a turn that it has told to its end', async () => {
    const { store, log, turnId, epoch } = await logOfTurn();
    const ended = cancelledTurn(
      startedTurn({ sessionId: KEY.sessionId, turnId, model: 'm', createTime: '', sent: NOTHING }),
      {
        clock: new ManualClock(),
      },
    );
    const { text: frames } = encodeFrame(epoch, 2, terminalEvent(ended));
    await store.append(KEY, epoch, { afterSeq: 1, lastSeq: 2, frames });
    await settle();
    await store.delete(KEY);
    await settle();
    expect([log.hasEnded, log.lastSeq]).toEqual([true, 2]);
  });

  it('does not go on with another one of the same name', async () => {
    const { store, clock, log } = await logOfTurn();
    await clock.advance(1000);
    await store.delete(KEY);
    await store.create(KEY, aSession());
    await settle();
    expect(log.hasEnded).toBe(true);
  });
});
