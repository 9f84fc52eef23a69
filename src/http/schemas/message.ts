// Messages and their parts.

import { Type } from 'typebox';
import { closed, Id, named, opaqueObject, ref, Time, words } from './schema.ts';

export const Part = named(
  'Part',
  opaqueObject({
    minProperties: 1,
    description:
      'One Gemini part: text, inlineData, fileData, functionCall, functionResponse, executableCode, codeExecutionResult, ' +
      'with thought and thoughtSignature beside it. Opaque: stored and sent back verbatim.',
  }),
);

export const Message = named(
  'Message',
  closed({
    id: Id,
    turnId: Type.Optional(Id),
    author: words(['user', 'bot']),
    content: Type.String({ description: 'The visible text of the parts.' }),
    parts: Type.Array(ref(Part)),
    createTime: Time,
  }),
);

export const PARTS_MAX = 1024;

/** `{content}` or `{parts}`, as a caller brings a message along. */
export const HistoryMessage = closed(
  {
    author: words(['user', 'bot', 'model', 'assistant'], {
      description: '`model` and `assistant` are aliases of `bot`.',
    }),
    content: Type.Optional(Type.String({ minLength: 1 })),
    parts: Type.Optional(Type.Array(ref(Part), { minItems: 1, maxItems: PARTS_MAX })),
  },
  { oneOf: [{ required: ['content'] }, { required: ['parts'] }], 'x-one-of': 'content or parts' },
);

export const MessagePage = named(
  'MessagePage',
  closed({ messages: Type.Array(ref(Message)), nextPageToken: Type.Optional(Type.String()) }),
);
