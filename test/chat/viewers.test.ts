// Who may watch a turn from where: cursors, logs that are gone, and what viewers of one turn share.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EarlierTurn } from '../../src/chat/earlier-turn.ts';
import { ask } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';
import { Reader, ViewScene } from '../support/view-scene.ts';

let scene: ViewScene;

beforeEach(async () => {
  scene = new ViewScene();
  await scene.here.session();
});

afterEach(async () => {
  scene.here.running.find(scene.here.open().key)?.cancel();
  await settle();
  expect(scene.here.running.count).toBe(0);
  expect(scene.there.followed.count).toBe(0);
  expect(scene.watches).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

async function epochOf(turnId: string): Promise<number> {
  return scene.here.store.epochOf(scene.here.open().key, turnId);
}

describe('a viewer', () => {
  it('of a turn that is over reads it after any event, and nothing after the last one', async () => {
    await scene.run('t');
    const whole = await scene.view();
    const { text = '', ids = [] } = whole ?? {};
    whole?.leave();
    expect(ids.length).toBe(4);
    const epoch = await epochOf('t');
    for (let seq = 0; seq < ids.length; seq += 1) {
      const rest = await scene.view('t', { epoch, seq });
      expect(rest?.ids).toEqual(ids.slice(seq));
      expect(text.endsWith(rest?.text ?? 'nothing')).toBe(true);
      rest?.leave();
    }
    expect(await scene.view('t', { epoch, seq: ids.length })).toBeUndefined();
  });

  it('reads the same on the replica that produces the turn', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    const view = await scene.here.open().view({ turnId: 't', cursor: { epoch: turn.epoch, seq: 1 } });
    const near = view && new Reader(view);
    const far = await scene.view('t', { epoch: turn.epoch, seq: 1 });
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    await settle();
    expect(near?.types.at(-1)).toBe('turn.committed');
    expect(far?.text).toBe(near?.text);
    near?.leave();
    far?.leave();
    expect(await scene.here.open().view({ turnId: 't', cursor: { epoch: turn.epoch, seq: 99 } })).toBeUndefined();
  });

  it('is refused with the cursor of another turn, on either replica', async () => {
    await scene.run('before');
    const cursor = { epoch: await epochOf('before'), seq: 1 };
    await scene.begin();
    for (const replica of [scene.here, scene.there]) {
      await expect(replica.open().view({ turnId: 't', cursor })).rejects.toMatchObject({ code: 'invalid_argument' });
    }
  });

  it('is told that the log has expired after two newer turns, and not before', async () => {
    await scene.run('t');
    await scene.run('second');
    (await scene.view())?.leave();
    await scene.run('third');
    await expect(scene.view()).rejects.toMatchObject({ code: 'log_expired' });
    expect((await scene.there.open().turn('t')).state).toBe('COMMITTED');
  });

  it('ends without a last event when the beginning of what it reads is missing', async () => {
    const turn = await scene.begin();
    const reader = await scene.view();
    const { readFrames } = scene.here.store;
    scene.here.store.readFrames = async (...args) => (await readFrames.apply(scene.here.store, args)).slice(1);
    scene.isDeaf = true;
    await scene.say('Hel');
    await scene.say('lo');
    scene.isDeaf = false;
    await scene.say('!');
    expect(reader?.hasEnded).toBe(true);
    expect(reader?.types).toEqual([]);
    reader?.leave();
    await expect(scene.view()).rejects.toMatchObject({ code: 'log_expired' });
    turn.cancel();
  });

  it('finds no turn that is unknown, and none in a session that is gone', async () => {
    await expect(scene.view('nobody')).rejects.toMatchObject({ code: 'turn_not_found' });
    await scene.run('t');
    await scene.here.open().delete();
    await expect(scene.view()).rejects.toMatchObject({ code: 'session_not_found' });
  });

  it('is refused while the store is away, and leaves nothing behind', async () => {
    await scene.begin();
    scene.isAway = true;
    await expect(scene.view()).rejects.toMatchObject({ code: 'store_unavailable' });
    scene.isAway = false;
    const { readFrames } = scene.here.store;
    scene.here.store.readFrames = () => Promise.reject(new Error('lost on the way'));
    await expect(scene.view()).rejects.toThrow('lost on the way');
    scene.here.store.readFrames = readFrames.bind(scene.here.store);
    expect(scene.there.followed.count).toBe(0);
    expect(scene.watches).toBe(0);
  });
});

describe('viewers of one turn', () => {
  it('share one log, and the last one takes it along', async () => {
    await scene.begin();
    await scene.say('Hel');
    const readers = await Promise.all([scene.view(), scene.view(), scene.view()]);
    expect(scene.there.followed.count).toBe(1);
    expect(scene.watches).toBe(1);
    expect(new Set(readers.map((reader) => reader?.view.log)).size).toBe(1);
    readers[0]?.leave();
    readers[0]?.leave();
    readers[1]?.leave();
    expect(scene.watches).toBe(1);
    await scene.say('lo');
    expect(readers[2]?.answer).toBe('Hello');
    readers[2]?.leave();
    expect(scene.watches).toBe(0);
    const late = await scene.view();
    expect(late?.answer).toBe('Hello');
    late?.leave();
  });

  it('end without a last event when their replica closes, and go on elsewhere', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    const reader = await scene.view();
    scene.there.followed.close();
    await settle();
    expect(reader?.hasEnded).toBe(true);
    expect(reader?.types).toEqual(['turn.started', 'candidate.delta']);
    expect(scene.watches).toBe(0);
    const view = await scene.here.open().view({ turnId: 't', ...(reader ? { cursor: reader.cursor } : {}) });
    const resumed = view && new Reader(view);
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    expect(resumed?.types).toEqual(['candidate.delta', 'candidate.finished', 'turn.committed']);
    reader?.leave();
  });

  it('get from a replica that closes what is there already, and then an end that is none', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    scene.there.followed.close();
    const reader = await scene.view();
    expect(reader?.answer).toBe('Hel');
    expect(reader?.hasEnded).toBe(true);
    reader?.leave();
    const cursor = reader?.cursor ?? { epoch: 0, seq: 0 };
    const nothing = await scene.view('t', cursor);
    expect([nothing?.hasEnded, nothing?.types]).toEqual([true, []]);
    nothing?.leave();
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    const whole = await scene.view();
    expect(whole?.types.at(-1)).toBe('turn.committed');
    whole?.leave();
  });

  it('who wait for the end of a turn of another replica are sent there when theirs closes', async () => {
    const send = { ...ask('Hi', { turnId: 't' }), idempotency: { key: 'k', fingerprint: 'same' } };
    await scene.here.open().sendMessageStreaming(send);
    const earlier = await scene.there.open().sendMessage(send);
    if (!(earlier instanceof EarlierTurn)) throw new Error('it is another turn');
    const ended = earlier.ended();
    const refused = expect(ended).rejects.toMatchObject({ code: 'draining' });
    await settle();
    const drained = scene.there.running.drain(20_000);
    scene.there.followed.close();
    await refused;
    await drained;
  });

  it('who come to a replica that closes get the whole turn, also while an older viewer still holds half of it', async () => {
    const turn = await scene.begin();
    await scene.say('Hel');
    const older = await scene.view();
    scene.there.followed.close();
    scene.here.model.call.text('lo', 'STOP');
    scene.here.model.call.end();
    await turn.ended;
    const whole = await scene.view();
    expect(whole?.types.at(-1)).toBe('turn.committed');
    older?.leave();
    whole?.leave();
  });

  it('who come while their replica begins to close get what is there', async () => {
    await scene.run('t');
    const gate = Promise.withResolvers<void>();
    const { watch } = scene.here.store;
    scene.here.store.watch = async (...args) => {
      await gate.promise;
      return watch.apply(scene.here.store, args);
    };
    const coming = scene.view();
    await settle();
    scene.there.followed.close();
    gate.resolve();
    const reader = await coming;
    expect(reader?.types.at(-1)).toBe('turn.committed');
    reader?.leave();
  });

  it('of different turns have different logs', async () => {
    await scene.run('first');
    await scene.here.open().sendMessageStreaming(ask('Again', { turnId: 'second' }));
    await settle();
    const [first, second] = await Promise.all([scene.view('first'), scene.view('second')]);
    expect(first?.view.log).not.toBe(second?.view.log);
    expect(first?.answer).toBe('answer of first');
    first?.leave();
    second?.leave();
  });
});
