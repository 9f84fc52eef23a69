// What a turn is asked for.

import { Type } from 'typebox';
import { PARTS_MAX, Part } from './message.ts';
import { closed, Id, named, ref, words } from './schema.ts';
import { GroundingSource, sendOnlySettings, settingOverrides } from './settings.ts';

const asking = {
  ...settingOverrides,
  ...sendOnlySettings,
  groundingSource: Type.Optional(Type.Union([GroundingSource, Type.Null()])),
  turnId: Type.Optional(Id),
  onBusy: Type.Optional(
    words(['reject', 'enqueue', 'interrupt'], {
      default: 'reject',
      description: 'While another turn runs: 409; wait in line; or end it and be next.',
    }),
  ),
};

const question = {
  message: Type.Optional(Type.String({ minLength: 1, description: 'The text of the user.' })),
  parts: Type.Optional(Type.Array(ref(Part), { minItems: 1, maxItems: PARTS_MAX })),
};
const EITHER = { oneOf: [{ required: ['message'] }, { required: ['parts'] }], 'x-one-of': 'message or parts' };

const streaming = {
  onDisconnect: Type.Optional(
    words(['continue', 'cancel'], {
      default: 'continue',
      description: 'What the end of the connection that started the turn means to it.',
    }),
  ),
};

export const SendMessage = named('SendMessage', closed({ ...question, ...asking }, EITHER));
export const StreamMessage = named('StreamMessage', closed({ ...question, ...asking, ...streaming }, EITHER));
/** The question is there already. */
export const Regenerate = named('Regenerate', closed(asking));
export const RegenerateStream = named('RegenerateStream', closed({ ...asking, ...streaming }));
