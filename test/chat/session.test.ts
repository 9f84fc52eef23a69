// What a session is made of and changed by: merge patches (RFC 7396) and fields that were not given.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { definedOnly, mergePatch } from '../../src/chat/session.ts';

describe('mergePatch', () => {
  // The examples of RFC 7396, appendix A.
  it.each<[unknown, unknown, unknown]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (target, patch, expected) => {
    expect(mergePatch(target, patch)).toEqual(expected);
  });

  it('leaves its arguments as they were', () => {
    const target = { a: { b: 1 } };
    const patch = { a: { c: 2 }, d: { e: 3 } };
    mergePatch(target, patch);
    expect([target, patch]).toEqual([{ a: { b: 1 } }, { a: { c: 2 }, d: { e: 3 } }]);
  });

  it.each([
    '{"__proto__": {"polluted": true}}',
    '{"a": {"__proto__": {"polluted": true}}}',
    '{"constructor": {"prototype": {"polluted": true}}}',
    '{"__proto__": null}',
  ])('does no harm with %s', (json) => {
    const patch: unknown = JSON.parse(json);
    const target: unknown = JSON.parse('{"a": {"b": 1}}');
    const merged = mergePatch(target, patch) as object;
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect('polluted' in {}).toBe(false);
    expect('polluted' in merged).toBe(false);
    // What it says is kept as a field like any other, or removed as one.
    const removed = json.endsWith('null}');
    expect(Object.hasOwn(merged, '__proto__')).toBe(json.startsWith('{"__proto__"') && !removed);
    expect(Object.hasOwn(merged, 'a')).toBe(true);
  });

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
      }),
    );
  });

  it('with nothing changes no object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (target) => {
        expect(mergePatch(target, {})).toEqual({ ...target });
      }),
    );
  });
});

describe('definedOnly', () => {
  it('leaves out undefined and null, and keeps everything else', () => {
    expect(definedOnly({ a: 0, b: '', c: false, d: undefined, e: null, f: [] })).toEqual({
      a: 0,
      b: '',
      c: false,
      f: [],
    });
  });
});
