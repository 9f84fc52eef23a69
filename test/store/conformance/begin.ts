// begin: who gets the session, and what comes with it.

import { describe, expect, it } from 'vitest';
import type { Encoded } from '../../../src/chat/encoded.ts';
import type { SessionKey } from '../../../src/chat/session.ts';
import type { SessionStore } from '../../../src/chat/session-store.ts';
import {
  aChange,
  aFailure,
  aKey,
  anEnding,
  aReap,
  aSession,
  aTurn,
  type BegunTurn,
  begin,
  beginDeadTurn,
  bytes,
  commitTurn,
  failTurn,
  plain,
  recordOf,
  refusalOf,
  stateOf,
} from '../builders.ts';
import type { Bench } from './bench.ts';

/** What no text codec lets through unharmed, and what a line-based protocol could trip over. */
const HOSTILE: readonly Encoded[] = [
  new Uint8Array(0),
  Uint8Array.from({ length: 256 }, (_, i) => i),
  Uint8Array.of(0xff, 0xfe, 0x00, 0xc3, 0x28),
  bytes('$5\r\nhello\r\n*1\r\n'),
  bytes('✓ größe 😀'),
  new Uint8Array(300_000).fill(0x80),
  // Part of a larger buffer: only the part may be kept.
  new Uint8Array(Uint8Array.from([1, 2, 3, 4, 5]).buffer, 1, 3),
  'text: é, —, 😀, \u0000\r\n',
];

export function beginBehaves(bench: Bench): void {
  /** A session with these messages, and a begin on it. */
  async function onSession(session: Parameters<typeof aSession>[0] = {}) {
    const { store, other } = bench;
    const key = aKey();
    await store.create(key, aSession(session));
    return { store, other, key };
  }

  async function commitAs(store: SessionStore, key: SessionKey, turn: BegunTurn) {
    const finished = await store.finish(key, anEnding(turn));
    if (finished.outcome !== 'finished') throw new Error(finished.outcome);
    return finished;
  }

  describe('begin', () => {
    it('claims the session, and brings its version and its history', async () => {
      const { store, other, key } = await onSession({ messages: [bytes('one'), bytes('two')] });
      const turn = await begin(store, key);
      expect(turn).toMatchObject({ version: 1, history: ['one', 'two'] });
      expect((await other.read(key)).running).toMatchObject({ turnId: turn.turnId, epoch: turn.epoch });
    });

    it('begins as it was seen without bringing the history, and not when anything has happened since', async () => {
      const { store, other, key } = await onSession({ messages: [bytes('one'), bytes('two')] });
      const first = await begin(store, key);
      const { version } = await commitAs(store, key, first);
      const seen = { epoch: first.epoch, version };
      const turn = aTurn({ seen });
      const begun = await other.begin(key, turn);
      expect(begun).toMatchObject({ outcome: 'begun', version });
      expect(begun).not.toHaveProperty('history');
      // A resend of the same call.
      expect(await other.begin(key, turn)).toEqual(begun);
      // Also while it runs, and after it has failed, which leaves the version as it was.
      expect(await store.begin(key, aTurn({ seen }))).toEqual({ outcome: 'stale' });
      const { epoch } = begun as { readonly epoch: number };
      await store.finish(key, aFailure({ turnId: turn.turnId, epoch, version, history: ['1', '2', '3', '4'] }));
      expect(await store.begin(key, aTurn({ seen }))).toEqual({ outcome: 'stale' });
      expect(await store.begin(key, aTurn({ seen: { epoch, version } }))).toMatchObject({ outcome: 'begun' });
    });

    it('is not as it was seen after a change, nor when it was made again', async () => {
      const { store, key } = await onSession();
      const turn = await begin(store, key);
      const seen = { epoch: turn.epoch, version: (await commitAs(store, key, turn)).version };
      await store.update(key, aChange(seen.version));
      expect(await store.begin(key, aTurn({ seen }))).toEqual({ outcome: 'stale' });
      await store.delete(key);
      await store.create(key, aSession());
      for (const version of [1, seen.version]) {
        expect(await store.begin(key, aTurn({ seen: { ...seen, version } }))).toEqual({ outcome: 'stale' });
      }
    });

    it('brings every message byte for byte', async () => {
      const { store, other, key } = await onSession({ messages: HOSTILE });
      const begun = await other.begin(key, aTurn());
      expect(begun.outcome === 'begun' && begun.history?.map(plain)).toEqual(HOSTILE.map(plain));
      const read = await store.readMessages(key, { start: 0, count: 100 });
      expect(read.map(plain)).toEqual(HOSTILE.map(plain));
    });

    it('keeps contents opaque in every place they are given', async () => {
      const { store, key } = await onSession({ config: HOSTILE[1] ?? bytes('') });
      for (const content of HOSTILE) {
        const turn = await begin(store, key, { record: content, question: content });
        expect(await recordOf(store, key, turn.turnId)).toBe(plain(content));
        const batch = { afterSeq: 0, lastSeq: 1, frames: content };
        await store.finish(key, anEnding(turn, { record: content, batch, messages: [content, content] }));
        expect(await recordOf(store, key, turn.turnId)).toBe(plain(content));
        expect((await store.readFrames(key, turn.epoch, 0)).map(({ frames }) => plain(frames))).toEqual([
          plain(content),
        ]);
      }
      const expected = HOSTILE.flatMap((content) => [plain(content), plain(content)]);
      expect((await begin(store, key)).history).toEqual(expected);
      expect(plain((await store.read(key)).config)).toBe(plain(HOSTILE[1] ?? bytes('')));
    });

    it('gives every turn a greater epoch', async () => {
      const { store, key } = await onSession();
      const first = await commitTurn(store, key);
      const second = await failTurn(store, key);
      const third = await begin(store, key);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      expect(third.epoch).toBeGreaterThan(second.epoch);
    });

    it('is refused while another turn is alive, with the name of that turn', async () => {
      const { store, other, key } = await onSession();
      const { turnId, epoch } = await begin(store, key);
      expect(await other.begin(key, aTurn())).toEqual({
        outcome: 'busy',
        turnId,
        epoch,
        hasLease: true,
        isWaiting: false,
      });
      expect((await store.read(key)).running?.turnId).toBe(turnId);
    });

    it('says when the producer of the other turn is dead, and takes nothing from it', async () => {
      const { store, other, key } = await onSession();
      const { turnId, epoch } = await beginDeadTurn(store, key);
      expect(await other.begin(key, aTurn())).toEqual({
        outcome: 'busy',
        turnId,
        epoch,
        hasLease: false,
        isWaiting: false,
      });
      expect(await store.finish(key, anEnding({ turnId, epoch, version: 1, history: [] }))).toEqual({
        outcome: 'finished',
        version: 2,
      });
    });

    it('is begun for exactly one of twenty at the same time', async () => {
      const { store, other, key } = await onSession();
      const begins = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).begin(key, aTurn()));
      const outcomes = (await Promise.all(begins)).map(({ outcome }) => outcome);
      expect(outcomes.filter((outcome) => outcome === 'begun')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'busy')).toHaveLength(19);
    });

    it('answers a resend of the same attempt as it answered before, and begins once', async () => {
      const { store, key } = await onSession({ messages: [bytes('one')] });
      const turn = aTurn();
      const begun = await store.begin(key, turn);
      const again = await store.begin(key, turn);
      expect(again).toEqual(begun);
      expect(await store.begin(key, { ...turn, attempt: 'another' })).toEqual({ outcome: 'turn_exists' });
    });

    it.each(['has committed', 'has failed', 'was reaped'])('refuses the id of a turn that %s', async (how) => {
      const { store, key } = await onSession();
      if (how === 'has committed') await commitTurn(store, key, { turnId: 'mine' });
      else if (how === 'has failed') await failTurn(store, key, { turnId: 'mine' });
      else await store.reap(key, aReap(await beginDeadTurn(store, key, { turnId: 'mine' })));
      expect(await store.begin(key, aTurn({ turnId: 'mine' }))).toEqual({ outcome: 'turn_exists' });
      expect((await store.read(key)).running).toBeUndefined();
    });

    it('takes any id that a caller may choose', async () => {
      const { store, key } = await onSession();
      for (const turnId of ['question', 'end', '__proto__', 'constructor', 'reaped', '0', '-', 'x'.repeat(128)]) {
        expect(await refusalOf(store.readTurn(key, turnId))).toBe('turn_not_found');
        await commitTurn(store, key, { turnId, fullRecord: bytes(`all of ${turnId}`) });
        expect(await recordOf(store, key, turnId)).toBe(`all of ${turnId}`);
        await failTurn(store, key);
        expect(await recordOf(store, key, turnId)).toBe(`all of ${turnId}`);
      }
    });

    it('goes by the version it wants', async () => {
      const { store, key } = await onSession();
      await store.update(key, aChange(1));
      expect(await store.begin(key, aTurn({ ifVersion: 1 }))).toEqual({ outcome: 'version_mismatch', version: 2 });
      expect(await store.begin(key, aTurn({ ifVersion: 3 }))).toEqual({ outcome: 'version_mismatch', version: 2 });
      expect(await store.begin(key, aTurn({ ifVersion: 2 }))).toMatchObject({ outcome: 'begun', version: 2 });
    });

    it('is refused when question and answer would be more messages than allowed', async () => {
      const { store, key } = await onSession({ messages: [bytes('a'), bytes('b'), bytes('c')] });
      const limit = (messages: number) => aTurn({ historyLimit: { messages, bytes: 1000 } });
      expect(await store.begin(key, limit(4))).toEqual({ outcome: 'history_full', messageCount: 3 });
      expect(await store.begin(key, limit(5))).toMatchObject({ outcome: 'begun' });
    });

    it('is refused when the question would be more bytes than allowed', async () => {
      const { store, key } = await onSession({ messages: [new Uint8Array(60)] });
      await commitTurn(store, key, { messages: [new Uint8Array(15), new Uint8Array(15)] });
      const ask = (size: number) => {
        const historyLimit = { messages: 10, bytes: 100 + 4 * bench.bytesBeside };
        return store.begin(key, aTurn({ question: new Uint8Array(size), historyLimit }));
      };
      expect(await ask(11)).toEqual({ outcome: 'history_full', messageCount: 3 });
      expect(await ask(10)).toMatchObject({ outcome: 'begun' });
    });

    it('must answer exactly the calls that the history leaves open', async () => {
      const { store, key } = await onSession();
      await commitTurn(store, key, { openCalls: '"f","g"' });
      for (const answeredCalls of ['', '"f"', '"g","f"', '"f","g","h"']) {
        const begun = await store.begin(key, aTurn({ answeredCalls }));
        expect(begun).toEqual({ outcome: 'calls_mismatch', openCalls: '"f","g"' });
      }
      expect(await store.begin(key, aTurn({ answeredCalls: '"f","g"' }))).toMatchObject({ outcome: 'begun' });
    });

    it('must answer none when none is open', async () => {
      const { store, key } = await onSession();
      const begun = await store.begin(key, aTurn({ answeredCalls: '"f"' }));
      expect(begun).toEqual({ outcome: 'calls_mismatch', openCalls: '' });
    });

    it('changes nothing when it is refused', async () => {
      const { store, key } = await onSession({ messages: [bytes('a')], openCalls: '"f"' });
      const before = await stateOf(store, key);
      const full = { messages: 1, bytes: 1 };
      const refusals = [{ ifVersion: 9 }, { answeredCalls: '"g"' }, { answeredCalls: '"f"', historyLimit: full }];
      for (const given of refusals) {
        const turn = aTurn(given);
        expect((await store.begin(key, turn)).outcome).not.toBe('begun');
        expect(await refusalOf(store.readTurn(key, turn.turnId))).toBe('turn_not_found');
      }
      expect(await stateOf(store, key)).toEqual(before);
    });

    it('leaves version and history alone, but counts as activity', async () => {
      const { store, key } = await onSession({ messages: [bytes('a')] });
      const before = await store.read(key);
      await begin(store, key);
      const after = await store.read(key);
      expect(after).toMatchObject({ version: 1, messageCount: 1 });
      expect(after.updateTimeMs).toBeGreaterThanOrEqual(before.updateTimeMs);
    });

    it('fails for a session that does not exist', async () => {
      expect(await refusalOf(bench.store.begin(aKey(), aTurn()))).toBe('session_not_found');
    });
  });
}
