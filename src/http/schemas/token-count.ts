// How many tokens the next request would cost.

import { Type } from 'typebox';
import { PARTS_MAX, Part } from './message.ts';
import { Count, closed, named, ref } from './schema.ts';

export const CountTokens = named(
  'CountTokens',
  closed(
    {
      message: Type.Optional(Type.String({ minLength: 1, description: 'The text of the user.' })),
      parts: Type.Optional(Type.Array(ref(Part), { minItems: 1, maxItems: PARTS_MAX })),
    },
    {
      maxProperties: 1,
      'x-one-of': 'message or parts',
      description: 'The question to count in; without one, what is there already is counted.',
    },
  ),
);

export const TokenCount = named(
  'TokenCount',
  closed({
    totalTokens: Count,
    totalBillableCharacters: Type.Optional({ ...Count, description: 'Not every backend tells.' }),
  }),
);
