// Keys of sessions as a store keeps them, and the ring of keys that wraps them.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newSealId } from '../../src/adapters/sealed/data-key.ts';
import { KeyRing } from '../../src/adapters/sealed/key-ring.ts';
import { Unreadable } from '../../src/adapters/sealed/sealer.ts';
import { unwrapKey, wrapAnew, wrapKey, wrappingKeyId } from '../../src/adapters/sealed/wrapped-key.ts';

const [FIRST, SECOND] = [randomBytes(32), randomBytes(32)];
const KEY = randomBytes(32);

function ringOf(current: string, keys: Readonly<Record<string, Uint8Array>> = { k1: FIRST, k2: SECOND }): KeyRing {
  return new KeyRing({ current, keys: new Map(Object.entries(keys)) });
}

function reasonOf(open: () => unknown): string | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    if (error instanceof Unreadable) return error.reason;
    throw error;
  }
}

describe('a wrapped key', () => {
  const seal = wrapKey(ringOf('k1'), 'owner:session', newSealId(), KEY);

  test('is unwrapped by every ring that has its key, whichever is current', () => {
    for (const ring of [ringOf('k1'), ringOf('k2')])
      expect(unwrapKey(ring, 'owner:session', seal).equals(KEY)).toBe(true);
    expect(wrappingKeyId(seal.wrappedKey)).toBe('k1');
    expect(Buffer.from(seal.wrappedKey).includes(KEY)).toBe(false);
  });

  test('is that of one session and one seal', () => {
    expect(reasonOf(() => unwrapKey(ringOf('k1'), 'other:session', seal))).toContain('belongs elsewhere');
    expect(reasonOf(() => unwrapKey(ringOf('k1'), 'owner:other', seal))).toContain('belongs elsewhere');
    const other = { ...seal, id: newSealId() };
    expect(reasonOf(() => unwrapKey(ringOf('k1'), 'owner:session', other))).toContain('belongs elsewhere');
  });

  test('is named when its wrapping key is not there, or is another one', () => {
    expect(reasonOf(() => unwrapKey(ringOf('k2', { k2: SECOND }), 'owner:session', seal))).toContain('k1');
    expect(reasonOf(() => unwrapKey(ringOf('k1', { k1: SECOND }), 'owner:session', seal))).toContain('another k1');
  });

  test('is not unwrapped when any of its bits is another one, or some are missing', () => {
    fc.assert(
      fc.property(fc.nat(seal.wrappedKey.length - 1), fc.nat(7), (at, bit) => {
        const wrappedKey = Buffer.from(seal.wrappedKey);
        wrappedKey[at] = (wrappedKey[at] ?? 0) ^ (1 << bit);
        expect(reasonOf(() => unwrapKey(ringOf('k1'), 'owner:session', { ...seal, wrappedKey }))).toBeDefined();
        const short = { ...seal, wrappedKey: seal.wrappedKey.subarray(0, at) };
        expect(reasonOf(() => unwrapKey(ringOf('k1'), 'owner:session', short))).toBeDefined();
      }),
    );
  });

  test('is the same key when it was wrapped anew, by the current key', () => {
    const anew = wrapAnew(ringOf('k2'), 'owner:session', seal);
    expect([anew.id, wrappingKeyId(anew.wrappedKey)]).toEqual([seal.id, 'k2']);
    expect(unwrapKey(ringOf('k2', { k2: SECOND }), 'owner:session', anew).equals(KEY)).toBe(true);
  });
});

describe('a ring', () => {
  test('keeps creations known when its keys are changed', () => {
    const before = ringOf('k1').creationFingerprints('owner', 'digest');
    const after = ringOf('k2').creationFingerprints('owner', 'digest');
    expect(after).toEqual([...before].reverse());
    expect(new Set([...before, 'digest']).size).toBe(3);
    expect(ringOf('k1').creationFingerprints('other', 'digest')).not.toContain(before[0]);
    expect(ringOf('k1').creationFingerprints('owner', 'other')).not.toContain(before[0]);
  });

  test('can be replaced', () => {
    const ring = ringOf('k1', { k1: FIRST });
    ring.replace({ current: 'k2', keys: new Map([['k2', SECOND]]) });
    expect([ring.current.id, ring.find('k1'), ring.find('k2')?.id]).toEqual(['k2', undefined, 'k2']);
  });
});
