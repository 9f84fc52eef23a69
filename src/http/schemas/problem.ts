// Problem details (RFC 9457).

import { Type } from 'typebox';
import { PROBLEM_CODES } from '../problems.ts';
import { closed, Id, named, ref, words } from './schema.ts';
import { ActiveTurn } from './session.ts';

export const Problem = named(
  'Problem',
  closed({
    type: Type.String({ format: 'uri-reference' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String(),
    instance: Type.Optional(Type.String({ format: 'uri-reference' })),
    code: words(PROBLEM_CODES, { description: 'Stable; what programs should look at.' }),
    retryable: Type.Boolean({ description: 'The same request may succeed later.' }),
    errors: Type.Optional(
      Type.Array(closed({ path: Type.String(), message: Type.String() }), { description: 'Every bad field.' }),
    ),
    activeTurn: Type.Optional(ref(ActiveTurn)),
    currentVersion: Type.Optional(Type.Integer()),
    retryAfterS: Type.Optional(Type.Integer()),
    sessionId: Type.Optional(Id),
    turnId: Type.Optional(Id),
  }),
);
