// Values as Tensors and back, by the rules of the SDK.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromTensor, toTensor } from '../../src/adapters/predict/tensor.ts';

describe('a value becomes a Tensor', () => {
  it.each<[string, unknown, object]>([
    ['text', 'hi', { stringVal: ['hi'] }],
    ['empty text', '', { stringVal: [''] }],
    ['a whole number', 200, { intVal: [200] }],
    ['a fraction', 0.5, { floatVal: [0.5] }],
    ['a truth', false, { boolVal: [false] }],
    ['nothing', null, {}],
    ['a list', ['a', 1], { listVal: [{ stringVal: ['a'] }, { intVal: [1] }] }],
    ['an empty list', [], { listVal: [] }],
    ['an object', { a: { b: 'c' } }, { structVal: { a: { structVal: { b: { stringVal: ['c'] } } } } }],
  ])('%s', (_kind, value, tensor) => {
    expect(toTensor(value)).toEqual(tensor);
  });

  it('with the floats of the wire as floats, however round they are', () => {
    expect(toTensor({ temperature: 0, topP: 1, topK: 40, maxDecodeSteps: 200 })).toEqual({
      structVal: {
        temperature: { floatVal: [0] },
        topP: { floatVal: [1] },
        topK: { intVal: [40] },
        maxDecodeSteps: { intVal: [200] },
      },
    });
  });
});

describe('a Tensor becomes a value', () => {
  it.each<[string, unknown, unknown]>([
    ['one scalar stands for itself', { stringVal: ['a'] }, 'a'],
    ['several are a list', { floatVal: [0.1, 0.2] }, [0.1, 0.2]],
    ['a list of one stays a list', { listVal: [{ stringVal: ['a'] }] }, ['a']],
    ['64-bit numbers are written as text', { int64Val: ['100', '253'] }, [100, 253]],
    ['no field is nothing', {}, null],
    ['only empty fields are nothing', { stringVal: [], floatVal: [] }, null],
    ['dtype and shape say nothing', { dtype: 'STRING', shape: ['1'], stringVal: ['a'] }, 'a'],
    ['snake case is read, too', { struct_val: { a: { list_val: [{ bool_val: [true] }] } } }, { a: [true] }],
    ['what is no Tensor is nothing', 'text', null],
    ['what is no number is nothing', { floatVal: [{ toString: 1, valueOf: 1 }] }, null],
    ['nor does anything become one', { intVal: ['', true, null, '7'] }, [null, null, null, 7]],
  ])('%s', (_fact, tensor, value) => {
    expect(fromTensor(tensor)).toEqual(value);
  });

  it('that it was, whatever it was', () => {
    const scalar = fc.oneof(
      fc.string(),
      fc.boolean(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, scalar, fc.constant(null), fc.array(tie('value')), tie('object')),
      object: fc.dictionary(
        fc.string().filter((name) => name !== '__proto__'),
        tie('value'),
      ),
    }));
    fc.assert(
      fc.property(value, (given) => {
        expect(fromTensor(toTensor(given))).toEqual(given);
      }),
    );
  });
});
