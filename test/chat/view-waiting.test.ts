// A turn in line as somebody else watches it: what it is told from when the line moves on.

import { expect, it } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { FollowedTurns } from '../../src/chat/followed-turns.ts';
import { FrameLog } from '../../src/chat/frame-log.ts';
import { logExpired } from '../../src/chat/refusals.ts';
import { queuedTurn, type Turn } from '../../src/chat/turn.ts';
import { encodeFrame } from '../../src/chat/turn-event.ts';
import { viewWaiting } from '../../src/chat/view-waiting.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';
import { Reader } from '../support/view-scene.ts';
import { storeAway } from '../support/wrapped-store.ts';

const KEY = { owner: 'alice', sessionId: 's' };
const START = { sessionId: 's', turnId: 't', model: 'm', createTime: '2026-01-01T00:00:00.000Z' };
const QUEUED = queuedTurn({ ...START, sent: { messages: 1, omittedMessages: 0 } });

class EndedLog extends FrameLog {
  constructor() {
    super(7);
    this.add([encodeFrame(7, 1, { type: 'turn.started', data: QUEUED })]);
    this.finish();
  }
}

/** Watched while it waits; then it is over, and its log can be had as `errors` say, one after the other. */
async function overAfter(errors: readonly Error[]) {
  const clock = new ManualClock();
  const store = new MemorySessionStore(clock, { ledgerTurnsMax: 10, ledgerBytesMax: 1e6, sessionsMax: 10 });
  const log = new EndedLog();
  let turn: Turn = QUEUED;
  const refusals = [...errors];
  const open = async () => {
    const error = refusals.shift();
    if (error) throw error;
    return { log, afterSeq: 0, release: () => undefined };
  };
  const rules = { followMs: 15_000 };
  const followed = new FollowedTurns({ store, clock, rules, reap: async () => {} });
  const view = await viewWaiting(KEY, QUEUED, async () => turn, open, { store, clock, followed });
  const reader = new Reader(view);
  turn = { ...QUEUED, state: 'CANCELLED' };
  await clock.advance(5000);
  await clock.advance(5000);
  await settle();
  reader.leave();
  return { reader, clock };
}

it('is told from its log, also when the store was away at that moment', async () => {
  const { reader, clock } = await overAfter([storeAway()]);
  expect(reader.ids).toEqual(['7-1']);
  expect(clock.pending).toBe(0);
});

it('is told from its record when its log is gone', async () => {
  const { reader } = await overAfter([logExpired()]);
  expect(reader.types).toEqual(['turn.started', 'turn.cancelled']);
  expect(reader.hasEnded).toBe(true);
});
