// A session that is deleted and made again by one replica, while another one still knows the key of the older one.

import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import { KeyRing } from '../../src/adapters/sealed/key-ring.ts';
import { SealedSessionStore } from '../../src/adapters/sealed/sealed-session-store.ts';
import type { SessionKey } from '../../src/chat/session.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import {
  aBatch,
  aChange,
  aKey,
  anEnding,
  anImport,
  aSession,
  aTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  historyOf,
  plain,
  recordOf,
  refusalOf,
} from '../store/builders.ts';
import { CONFORMANCE_RULES } from '../store/conformance/bench.ts';
import { systemClock } from '../support/system-clock.ts';
import { wrapStore } from '../support/wrapped-store.ts';

const keys = { current: 'k1', keys: new Map([['k1', randomBytes(32)]]) };
const alarms: string[] = [];

function sealed(kept: SessionStore): SessionStore {
  return new SealedSessionStore(kept, new KeyRing(keys), ({ record, reason }) => alarms.push(`${record} ${reason}`));
}

let kept: SessionStore;
let here: SessionStore;
let there: SessionStore;
beforeEach(() => {
  alarms.length = 0;
  kept = new MemorySessionStore(systemClock, { ...CONFORMANCE_RULES, sessionsMax: 100 });
  here = sealed(kept);
  there = sealed(kept);
});

/** Known to both, then made again by one of them, with a message and a turn. */
async function madeAgain(): Promise<SessionKey> {
  const key = aKey();
  await here.create(key, aSession({ messages: [bytes('old')] }));
  expect(await historyOf(there, key)).toEqual(['old']);
  await here.delete(key);
  await here.create(key, aSession({ config: bytes('new config'), messages: [bytes('new')] }));
  await commitTurn(here, key, { turnId: 't' });
  return key;
}

describe('a session that was made again', () => {
  const NEW = ['new', 'question of t', 'answer of t'];

  test('is read as what it is by who knew the older one', async () => {
    for (const read of [
      async (key: SessionKey) => expect(await historyOf(there, key)).toEqual(NEW),
      async (key: SessionKey) => expect(await recordOf(there, key, 't')).toBe('ended t'),
      async (key: SessionKey) => expect((await there.listTurns(key, 9)).items).toHaveLength(1),
      async (key: SessionKey) => expect(plain((await there.read(key)).config)).toBe('new config'),
      async (key: SessionKey) => {
        const epoch = await there.epochOf(key, 't');
        expect((await there.readFrames(key, epoch, 0)).map(({ frames }) => plain(frames))).toEqual(['<0..1>']);
      },
    ]) {
      await read(await madeAgain());
    }
    expect(alarms).toEqual([]);
  });

  test('takes every step of who knew the older one, and both can read it then', async () => {
    const steps: readonly ((key: SessionKey) => Promise<unknown>)[] = [
      (key) => there.update(key, aChange(2)),
      (key) => there.importMessages(key, anImport(['imported'], 2, { position: 3 })),
      async (key) => {
        const turn = await begin(there, key);
        expect(turn.history).toEqual(NEW);
        await there.append(key, turn.epoch, aBatch(0, 1));
        await there.finish(key, anEnding(turn, { batch: aBatch(1, 2) }));
      },
      async (key) => {
        const turn = await begin(here, key);
        await there.append(key, turn.epoch, aBatch(0, 1));
        await here.finish(key, anEnding(turn, { batch: aBatch(1, 2) }));
      },
      async (key) => {
        await begin(here, key);
        await there.begin(key, aTurn({ turnId: 'waits', onBusy: 'enqueue' }));
        expect(await here.leave(key, { turnId: 'waits', record: bytes('left'), onlyIfDead: false })).toBe(true);
      },
      async (key) => {
        const { turnId, epoch } = await beginDeadTurn(here, key);
        const record = bytes('reaped');
        expect(await there.reap(key, { turnId, epoch, record, frame: bytes('end'), seq: 9 })).toBe(true);
      },
    ];
    for (const step of steps) {
      const key = await madeAgain();
      await step(key);
      expect(await historyOf(here, key)).toEqual(await historyOf(there, key));
      const recordsIn = async (store: SessionStore) =>
        (await store.listTurns(key, 9)).items.map(({ record }) => plain(record));
      expect(await recordsIn(here)).toEqual(await recordsIn(there));
      expect((await here.readEvents(key, { epoch: 0, seq: 0 })).length).toBeGreaterThan(0);
      expect(plain((await here.read(key)).config)).toBe(plain((await there.read(key)).config));
    }
    expect(alarms).toEqual([]);
  });

  test('again and again in the middle of one step is refused in the end, for now', async () => {
    const restless = wrapStore(kept, (store) => ({
      async update(key, change) {
        await here.delete(key);
        await here.create(key, aSession());
        return store.update(key, change);
      },
    }));
    const key = aKey();
    await here.create(key, aSession());
    expect(await refusalOf(sealed(restless).update(key, aChange(1)))).toBe('overloaded');
    expect(alarms).toEqual([]);
  });
});
