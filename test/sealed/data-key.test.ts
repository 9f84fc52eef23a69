// Records: what goes in comes out, in its place alone, and nothing else does.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodePlace, type Place } from '../../src/adapters/sealed/box.ts';
import { DataKey, newSealId, RECORD_BYTES } from '../../src/adapters/sealed/data-key.ts';
import { framesOf, messageAt, questionOf, turnOf } from '../../src/adapters/sealed/places.ts';
import { PLAIN, Unreadable } from '../../src/adapters/sealed/sealer.ts';
import { REAPER_SEQ } from '../../src/chat/turn-event.ts';

const KEY = randomBytes(32);
const SEAL_ID = newSealId();
const ADDRESS = 'owner:session';
const dataKey = new DataKey(KEY, SEAL_ID, ADDRESS);

const part = fc.oneof(fc.string({ unit: 'binary' }), fc.nat(), fc.constantFrom('', 'turn', 'message', '\u0000'));
const place = fc.array(part, { maxLength: 4 });
const contents = fc.uint8Array({ maxLength: 300 });

function isUnreadable(open: () => unknown): boolean {
  try {
    open();
    return false;
  } catch (error) {
    return error instanceof Unreadable;
  }
}

const text = (where: Place) => JSON.stringify(where.map(String));

describe('a sealed record', () => {
  test('is opened to what it was, in its place, and costs as much more as is said', () => {
    fc.assert(
      fc.property(place, contents, (where, bytes) => {
        const record = dataKey.seal(where, bytes);
        expect(record.length).toBe(bytes.length + RECORD_BYTES);
        expect([...dataKey.open(where, record)]).toEqual([...bytes]);
      }),
    );
  });

  test('is not opened when any of its bits is another one', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat(7), (bytes, at, bit) => {
        const record = Buffer.from(dataKey.seal(['config'], bytes));
        const index = at % record.length;
        record[index] = (record[index] ?? 0) ^ (1 << bit);
        expect(isUnreadable(() => dataKey.open(['config'], record))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('is not opened when it is longer or shorter', () => {
    fc.assert(
      fc.property(contents, fc.integer({ min: -400, max: 40 }), (bytes, more) => {
        const record = dataKey.seal(['config'], bytes);
        const other =
          more < 0 ? record.subarray(0, Math.max(0, record.length + more)) : [...record, ...Array(more).fill(0)];
        fc.pre(other.length !== record.length);
        expect(isUnreadable(() => dataKey.open(['config'], Uint8Array.from(other)))).toBe(true);
      }),
    );
  });

  test('is not opened in any other place', () => {
    fc.assert(
      fc.property(place, place, contents, (where, elsewhere, bytes) => {
        fc.pre(text(where) !== text(elsewhere));
        expect(isUnreadable(() => dataKey.open(elsewhere, dataKey.seal(where, bytes)))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['the key of another session', new DataKey(randomBytes(32), SEAL_ID, ADDRESS)],
    ['the same key under another seal', new DataKey(KEY, newSealId(), ADDRESS)],
    ['the same key of another owner', new DataKey(KEY, SEAL_ID, 'other:session')],
    ['the same key of another session', new DataKey(KEY, SEAL_ID, 'owner:other')],
  ])('is not opened with %s', (_what, other) => {
    const record = dataKey.seal(['config'], Buffer.from('secret'));
    expect(isUnreadable(() => other.open(['config'], record))).toBe(true);
  });

  test('is never the same twice, and tells nothing of what is in it', () => {
    const secret = Buffer.from('attack at dawn, attack at dawn, attack at dawn');
    const records = Array.from({ length: 50 }, () => Buffer.from(dataKey.seal(['config'], secret)));
    expect(new Set(records.map((record) => record.toString('hex'))).size).toBe(50);
    for (const record of records) expect(record.includes('attack')).toBe(false);
  });

  test('is told from one that is not sealed, which does not go through', () => {
    for (const plain of ['{"model":"m"}', 'id: 1-1\nevent: turn.started', '']) {
      expect(isUnreadable(() => dataKey.open(['config'], Buffer.from(plain)))).toBe(true);
      expect(Buffer.from(PLAIN.open(['config'], Buffer.from(plain))).toString()).toBe(plain);
    }
    expect(isUnreadable(() => PLAIN.open(['config'], dataKey.seal(['config'], Buffer.from('x'))))).toBe(true);
  });
});

describe('places', () => {
  test('of different parts are different bytes', () => {
    fc.assert(
      fc.property(place, place, (one, other) => {
        expect(encodePlace(one).equals(encodePlace(other))).toBe(text(one) === text(other));
      }),
      { numRuns: 1000 },
    );
    // What would be the same if parts were simply put one after the other.
    expect(encodePlace(['a', 'bc']).equals(encodePlace(['ab', 'c']))).toBe(false);
    expect(encodePlace(['a', '']).equals(encodePlace(['a']))).toBe(false);
  });

  test('of a session are all different', () => {
    const places = [
      ...[0, 1, 10].map(messageAt),
      ...['0', '1', 'config'].flatMap((id) => [turnOf(id), questionOf(id)]),
      ...[
        [1, 0, 1],
        [1, 1, 2],
        [1, 0, 2],
        [2, 0, 1],
        [1, 1, REAPER_SEQ],
        [2, 1, REAPER_SEQ],
      ].map(([epoch = 0, afterSeq = 0, lastSeq = 0]) => framesOf(epoch, { afterSeq, lastSeq })),
      ['config'],
    ];
    expect(new Set(places.map((one) => encodePlace(one).toString('hex'))).size).toBe(places.length);
  });

  test("of a reaper's event is the same whatever it follows, which only the store knows", () => {
    expect(framesOf(1, { afterSeq: 0, lastSeq: REAPER_SEQ })).toEqual(
      framesOf(1, { afterSeq: 7, lastSeq: REAPER_SEQ }),
    );
  });
});

describe('a sealed text', () => {
  test('is the same for the same text alone, and is opened to it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        expect(dataKey.openText(dataKey.sealText(one))).toBe(one);
        expect(dataKey.sealText(one) === dataKey.sealText(other)).toBe(one === other);
      }),
    );
  });

  test('of another session is another one, and nothing stays nothing', () => {
    const other = new DataKey(randomBytes(32), newSealId(), ADDRESS);
    expect(other.sealText('"weather"')).not.toBe(dataKey.sealText('"weather"'));
    expect(isUnreadable(() => other.openText(dataKey.sealText('"weather"')))).toBe(true);
    expect([dataKey.sealText(''), dataKey.openText('')]).toEqual(['', '']);
  });

  test('is not opened when it was altered', () => {
    const sealed = dataKey.sealText('"weather"');
    for (let at = 0; at < sealed.length; at += 1) {
      const altered = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      // The last character holds bits that are not used.
      if (Buffer.from(altered, 'base64url').equals(Buffer.from(sealed, 'base64url'))) continue;
      expect(isUnreadable(() => dataKey.openText(altered))).toBe(true);
    }
  });
});

test('a fingerprint is the same for the same content alone, of one session alone', () => {
  const other = new DataKey(randomBytes(32), newSealId(), ADDRESS);
  expect(dataKey.fingerprint('a')).toBe(new DataKey(KEY, SEAL_ID, ADDRESS).fingerprint('a'));
  expect(new Set([dataKey.fingerprint('a'), dataKey.fingerprint('b'), other.fingerprint('a'), 'a']).size).toBe(4);
});
