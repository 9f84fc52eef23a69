// A turn that is watched on another replica: what its viewers see, whatever happens on the way to them.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FOLLOW_MS, LEASE_MS } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';
import { type Reader, ViewScene } from '../support/view-scene.ts';

let scene: ViewScene;
const readers: Reader[] = [];

beforeEach(async () => {
  scene = new ViewScene();
  await scene.here.session();
});

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.leave();
  scene.here.running.find(scene.here.open().key)?.cancel();
  await settle();
  // Whatever has happened: no turn, no timer, no watch is left behind.
  expect(scene.here.running.count).toBe(0);
  expect(scene.there.followed.count).toBe(0);
  expect(scene.watches).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

/** Leaves at the end of the test. */
async function watching(...args: Parameters<ViewScene['view']>): Promise<Reader> {
  const reader = await scene.view(...args);
  if (!reader) throw new Error('nothing comes after the cursor');
  readers.push(reader);
  return reader;
}

const WHOLE = ['turn.started', 'candidate.delta', 'candidate.delta', 'candidate.finished', 'turn.committed'];

describe('a turn watched on another replica', () => {
  it('is read from its beginning, then as it comes, by rings alone', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    const reader = await watching();
    expect(reader.answer).toBe('Hel');
    await scene.say('lo');
    expect(reader.answer).toBe('Hello');
    expect(reader.hasEnded).toBe(false);
    scene.here.model.call.text('', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    await settle();
    expect(reader.types).toEqual(WHOLE);
    expect(reader.hasEnded).toBe(true);
    const shown = turn.log.framesAfter(0).map(({ text }) => text);
    expect(reader.text).toBe(shown.join(''));
  });

  it('can be watched before it has said anything', async () => {
    await scene.begin();
    const reader = await watching();
    expect(reader.types).toEqual([]);
    await scene.say('Hel');
    expect(reader.types).toEqual(['turn.started', 'candidate.delta']);
  });

  it('is made good by the timer when rings are lost', async () => {
    await scene.begin();
    const reader = await watching();
    scene.isDeaf = true;
    await scene.say('Hel');
    expect(reader.answer).toBe('');
    await scene.clock.advance(FOLLOW_MS);
    expect(reader.answer).toBe('Hel');
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await settle();
    await scene.clock.advance(FOLLOW_MS);
    expect(reader.types.at(-1)).toBe('turn.committed');
    expect(reader.hasEnded).toBe(true);
  });

  it('is whole for who comes after its end, although who watched before has not been told of that yet', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    const before = await watching();
    scene.isDeaf = true;
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    const after = await watching();
    expect([after.types, after.hasEnded]).toEqual([WHOLE, true]);
    // And with it who was there before.
    expect([before.types, before.hasEnded]).toEqual([WHOLE, true]);
  });

  it('cannot be watched by who comes after its end while the store is away, and leaves nothing behind', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    await watching();
    scene.isDeaf = true;
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    scene.failsToReadFrames = true;
    await expect(watching()).rejects.toMatchObject({ code: 'store_unavailable' });
    scene.failsToReadFrames = false;
    expect((await watching()).types).toEqual(WHOLE);
  });

  it('is not read without a reason', async () => {
    await scene.begin();
    await scene.say('Hel');
    await watching();
    const before = scene.reads;
    await scene.clock.advance(FOLLOW_MS - 1000);
    expect(scene.reads).toBe(before);
  });

  it('goes on when the store was away meanwhile, for the viewer as for the timer', async () => {
    await scene.begin();
    const reader = await watching();
    scene.isAway = true;
    await scene.say('Hel');
    await scene.clock.advance(2 * FOLLOW_MS);
    expect(reader.hasEnded).toBe(false);
    expect(reader.answer).toBe('');
    scene.isAway = false;
    await scene.clock.advance(1000);
    expect(reader.answer).toBe('Hel');
    await scene.say('lo');
    expect(reader.answer).toBe('Hello');
  });

  it('is read again soon when the store fails at a ring', async () => {
    await scene.begin();
    const reader = await watching();
    scene.isDeaf = true;
    await scene.say('Hel');
    scene.isDeaf = false;
    const { readFrames } = scene.here.store;
    let fails = 1;
    scene.here.store.readFrames = (...args) => {
      fails -= 1;
      return fails >= 0 ? Promise.reject(new Error('lost on the way')) : readFrames.apply(scene.here.store, args);
    };
    await scene.say('lo');
    expect(reader.answer).toBe('');
    await scene.clock.advance(1000);
    expect(reader.answer).toBe('Hello');
  });
});

describe('a turn whose producer has died', () => {
  /** It says no more, and its lease runs out by and by. */
  function killProducer(): void {
    scene.here.store.renew = () => Promise.reject(new Error('dead'));
    scene.here.store.append = () => Promise.reject(new Error('dead'));
  }

  it('is ended by its viewer soon after the lease', async () => {
    await scene.begin();
    await scene.say('Hel');
    const reader = await watching();
    killProducer();
    // 100 ms of the lease have passed.
    await scene.clock.advance(LEASE_MS - 200);
    expect(reader.hasEnded).toBe(false);
    await scene.clock.advance(300);
    expect(reader.types).toEqual(['turn.started', 'candidate.delta', 'turn.failed']);
    expect(reader.text).toContain('"code":"producer_lost"');
    expect(await scene.there.open().turn('t')).toMatchObject({ state: 'FAILED', problem: { retryable: true } });
    expect(await scene.here.history()).toEqual([]);
  });

  it('is ended as soon for a viewer who came shortly before the end of the lease', async () => {
    await scene.begin();
    killProducer();
    await scene.clock.advance(LEASE_MS - 500);
    const reader = await watching();
    await scene.clock.advance(700);
    expect(reader.types.at(-1)).toBe('turn.failed');
  });

  it('ends for viewers who have seen more at the lost replica than ever reached the store', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    killProducer();
    scene.here.model.call.text('lo');
    await settle();
    const reader = await watching('t', { epoch: turn.epoch, seq: turn.log.lastSeq });
    await scene.clock.advance(LEASE_MS + 200);
    expect(reader.types).toEqual(['turn.failed']);
  });

  it('is ended when the store is back, if it was away at the end of the lease', async () => {
    await scene.begin();
    const reader = await watching();
    killProducer();
    scene.isAway = true;
    await scene.clock.advance(LEASE_MS + 5000);
    expect(reader.hasEnded).toBe(false);
    scene.isAway = false;
    await scene.clock.advance(1000);
    expect(reader.types).toEqual(['turn.failed']);
  });
});

describe('a turn whose session is deleted', () => {
  it('ends at once with turn.cancelled', async () => {
    await scene.begin();
    await scene.say('Hel');
    const reader = await watching();
    await scene.here.open().delete();
    await settle();
    expect(reader.types).toEqual(['turn.started', 'candidate.delta', 'turn.cancelled']);
    expect(reader.hasEnded).toBe(true);
  });

  it('ends with turn.cancelled by the timer when the ring is lost', async () => {
    await scene.begin();
    const reader = await watching();
    scene.isDeaf = true;
    await scene.here.open().delete();
    await scene.clock.advance(FOLLOW_MS);
    expect(reader.types.at(-1)).toBe('turn.cancelled');
  });

  it('ends the same way when a session of the same name is there already', async () => {
    await scene.begin();
    await scene.say('Hel');
    const reader = await watching();
    scene.isDeaf = true;
    await scene.here.open().delete();
    await scene.clock.advance(10);
    await scene.here.session();
    await scene.run('t');
    await scene.clock.advance(FOLLOW_MS);
    expect(reader.types).toEqual(['turn.started', 'candidate.delta', 'turn.cancelled']);
  });

  it('ends for viewers who have seen more at its producer than ever reached the store', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    scene.here.model.call.text('lo');
    await settle();
    const reader = await watching('t', { epoch: turn.epoch, seq: turn.log.lastSeq });
    await scene.here.store.delete(turn.key);
    await settle();
    expect(reader.types).toEqual(['turn.cancelled']);
  });
});
