// watch and epochOf: how a viewer on another replica learns that there is something to read, and where.

import { describe, expect, it } from 'vitest';
import type { News } from '../../../src/chat/session-store.ts';
import { until } from '../../support/until.ts';
import {
  aBatch,
  aKey,
  anEnding,
  aReap,
  aSession,
  aTurn,
  type BegunTurn,
  begin,
  beginDeadTurn,
  bytes,
} from '../builders.ts';
import type { Bench } from './bench.ts';

export function watchBehaves(bench: Bench): void {
  async function watched() {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession());
    let rings = 0;
    const watch = await other.watch(key, () => {
      rings += 1;
    });
    /** Waits for the ring of a step that has just been taken. */
    const rung = async (step: () => Promise<unknown>) => {
      const before = rings;
      const taken = await step();
      await until('it has rung', () => rings > before);
      return taken;
    };
    return { store, other, key, watch, rung, count: () => rings };
  }

  describe('watch', () => {
    it('rings for every step of a turn, on another replica', async () => {
      const { store, key, watch, rung } = await watched();
      const turn = (await rung(() => begin(store, key))) as BegunTurn;
      await rung(() => store.append(key, turn.epoch, aBatch(0, 2)));
      await rung(() => store.finish(key, anEnding(turn, { batch: aBatch(2, 3) })));
      const dead = (await rung(() => beginDeadTurn(store, key))) as BegunTurn;
      await rung(() => store.reap(key, aReap(dead)));
      await rung(() => store.delete(key));
      watch.close();
    });

    it('says which steps have added nothing but frames', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const heard: News[] = [];
      const watch = await other.watch(key, (news) => heard.push(news));
      const turn = await begin(store, key);
      await store.append(key, turn.epoch, aBatch(0, 1));
      await store.append(key, turn.epoch, aBatch(1, 2));
      await store.finish(key, anEnding(turn, { batch: aBatch(2, 3) }));
      await until('all are heard', () => heard.length >= 4 && heard.at(-1) === 'step');
      expect(heard.filter((news) => news === 'frames')).toHaveLength(2);
      watch.close();
    });

    it('rings for the steps of its own process, too', async () => {
      const { other, key, watch, rung } = await watched();
      await rung(() => begin(other, key));
      watch.close();
    });

    it('rings nobody for another session, nor after its end', async () => {
      const { store, other, key, watch, rung, count } = await watched();
      await store.create(aKey(), aSession());
      const another = aKey();
      await store.create(another, aSession());
      const last = await other.watch(key, () => undefined);
      const turn = (await rung(() => begin(store, key))) as BegunTurn;
      const heard = count();
      await begin(store, another);
      await rung(() => store.append(key, turn.epoch, aBatch(0, 1)));
      expect(count()).toBe(heard + 1);
      watch.close();
      watch.close();
      const before = count();
      let isHeard = false;
      const witness = await other.watch(key, () => {
        isHeard = true;
      });
      await store.append(key, turn.epoch, aBatch(1, 2));
      await until('the witness has heard', () => isHeard);
      expect(count()).toBe(before);
      witness.close();
      last.close();
    });

    it('can be opened again right after it was closed', async () => {
      const { store, other, key, watch } = await watched();
      watch.close();
      for (let round = 0; round < 5; round += 1) {
        let isRung = false;
        const again = await other.watch(key, () => {
          isRung = true;
        });
        const turn = await begin(store, key);
        await until('it has rung', () => isRung);
        again.close();
        await store.finish(key, anEnding(turn));
      }
    });

    it('waits for a session that does not exist yet', async () => {
      const { store, other } = bench;
      const key = aKey();
      let isRung = false;
      const watch = await other.watch(key, () => {
        isRung = true;
      });
      await store.create(key, aSession());
      await begin(store, key);
      await until('it has rung', () => isRung);
      watch.close();
    });
  });

  describe('epochOf', () => {
    it('is that of the turn, running or over, on another replica', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const first = await begin(store, key);
      expect(await other.epochOf(key, first.turnId)).toBe(first.epoch);
      await store.finish(key, anEnding(first));
      const second = await begin(store, key);
      expect(await other.epochOf(key, first.turnId)).toBe(first.epoch);
      expect(await other.epochOf(key, second.turnId)).toBe(second.epoch);
    });

    it('is that of its beginning for a turn that has waited, and no whole number for one that has only waited', async () => {
      const { store, other } = bench;
      const key = aKey();
      await store.create(key, aSession());
      const running = await begin(store, key);
      const [first, second] = [aTurn(), aTurn()];
      for (const turn of [first, second]) await store.begin(key, { ...turn, onBusy: 'enqueue' });
      await store.leave(key, { turnId: second.turnId, record: bytes('left'), onlyIfDead: false });
      expect(Number.isInteger(await other.epochOf(key, second.turnId))).toBe(false);
      await store.finish(key, anEnding(running));
      const begun = await store.begin(key, { ...first, onBusy: 'waiting' });
      expect(begun).toMatchObject({ outcome: 'begun', epoch: await other.epochOf(key, first.turnId) });
    });

    it('fails with turn_not_found, or without a session with session_not_found', async () => {
      const { store } = bench;
      const key = aKey();
      await store.create(key, aSession());
      await expect(store.epochOf(key, aTurn().turnId)).rejects.toMatchObject({ code: 'turn_not_found' });
      await expect(store.epochOf(aKey(), 'x')).rejects.toMatchObject({ code: 'session_not_found' });
    });
  });
}
