// Sessions, and what may be set on them.

import { Type } from 'typebox';
import { METADATA_PAIRS_MAX, MODEL_PATTERN } from '../../chat/session.ts';
import { HistoryMessage } from './message.ts';
import { Count, closed, Id, named, nullable, optionalNullable, ref, stringMap, Time, words } from './schema.ts';
import { settingDefaults, settingOverrides, settingPatches } from './settings.ts';

export const Usage = named(
  'Usage',
  closed({
    promptTokens: Count,
    outputTokens: Count,
    thoughtTokens: Type.Optional(Count),
    cachedTokens: Type.Optional(Count),
    totalTokens: Count,
  }),
);

const Model = Type.String({
  pattern: MODEL_PATTERN,
  maxLength: 512,
  description: 'A model id, `publishers/…/models/…` or `projects/…/endpoints/…`.',
});

const DisplayName = Type.String({ maxLength: 256 });
const METADATA_LIMITS = { pairs: METADATA_PAIRS_MAX, keyLength: 64, valueLength: 512 };
const Metadata = stringMap(METADATA_LIMITS);
/** As a patch: `null` removes a pair. The pairs that result are counted when they are merged. */
const MetadataPatch = Type.Unsafe<Record<string, string | null> | null>({
  type: ['object', 'null'],
  propertyNames: { minLength: 1, maxLength: METADATA_LIMITS.keyLength },
  additionalProperties: { type: ['string', 'null'], maxLength: METADATA_LIMITS.valueLength },
  maxProperties: 2 * METADATA_LIMITS.pairs,
});
const Context = Type.String({ description: 'Becomes the system instruction.' });
const Examples = Type.Array(closed({ input: Type.String({ minLength: 1 }), output: Type.String({ minLength: 1 }) }), {
  maxItems: 256,
  description: 'Few-shot turns, sent before the history with every request, never part of it.',
});
const Ttl = Type.Integer({
  minimum: 1,
  maximum: 7_776_000,
  description: 'Lifetime in seconds; slides with every turn and change.',
});

/** Of one request; how long a history may become is configuration. */
const HISTORY_MAX = 10_000;

const Limit = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const windowProperties = {
  maxMessages: { ...Limit, description: 'Messages of the history that are sent, and the new question.' },
  maxTokens: { ...Limit, description: 'Tokens of the whole request, estimated without a call to the model.' },
  onOverflow: words(['reject', 'trimOldest'], {
    description:
      'What becomes of a send that exceeds a limit: 409 `history_full`, or the oldest exchanges are not sent.',
  }),
};
const ContextWindow = closed(
  {
    maxMessages: Type.Optional(windowProperties.maxMessages),
    maxTokens: Type.Optional(windowProperties.maxTokens),
    onOverflow: windowProperties.onOverflow,
  },
  { description: 'How much of the history is sent with a question. What is stored stays whole.' },
);
/** At creation what is `null` is absent, in a patch it is removed; one of the limits has to be there. */
const GivenWindow = closed(optionalNullable(windowProperties), {
  description: '`maxMessages`, `maxTokens` or both; without `onOverflow`, what exceeds them is rejected.',
});
const TokenBudget = {
  ...Limit,
  description: 'No turn begins once the turns of the session have spent so many tokens (`usage.totalTokens`).',
};

const configProperties = {
  displayName: Type.Optional(DisplayName),
  metadata: Type.Optional(Metadata),
  context: Type.Optional(Context),
  examples: Type.Optional(Examples),
  contextWindow: Type.Optional(ContextWindow),
  tokenBudget: Type.Optional(TokenBudget),
  ...settingDefaults,
};

export const ActiveTurn = named(
  'ActiveTurn',
  closed({ turnId: Id, eventsUrl: Type.String({ format: 'uri-reference' }) }),
);

export const Session = named(
  'Session',
  closed({
    id: Id,
    model: Model,
    ...configProperties,
    ttl: Ttl,
    createTime: Time,
    updateTime: Time,
    expireTime: Time,
    version: Type.Integer({ minimum: 1, description: 'Grows by one with every change; the ETag is its quoted form.' }),
    messageCount: Count,
    activeTurn: Type.Optional(ref(ActiveTurn)),
    usage: ref(Usage),
  }),
);

export const SessionPage = named(
  'SessionPage',
  closed({ sessions: Type.Array(ref(Session)), nextPageToken: Type.Optional(Type.String()) }),
);

/** `null` at creation means absent. */
export const NewSession = named(
  'NewSession',
  closed({
    id: Type.Optional(nullable(Id)),
    model: Type.Optional(nullable(Model)),
    displayName: Type.Optional(nullable(DisplayName)),
    metadata: Type.Optional(nullable(Metadata)),
    context: Type.Optional(nullable(Context)),
    examples: Type.Optional(nullable(Examples)),
    contextWindow: Type.Optional(nullable(GivenWindow)),
    tokenBudget: Type.Optional(nullable(TokenBudget)),
    messageHistory: Type.Optional(nullable(Type.Array(HistoryMessage, { maxItems: HISTORY_MAX }))),
    ttl: Type.Optional(nullable(Ttl)),
    ...settingOverrides,
  }),
);

export const RewindSession = named(
  'RewindSession',
  closed(
    {
      toMessageId: Type.Optional(
        Type.String({ maxLength: 128, description: 'The bot message that is to be the last one.' }),
      ),
      toLength: Type.Optional(
        Type.Integer({ minimum: 0, description: 'How many messages are to stay; 0 empties the history.' }),
      ),
    },
    {
      oneOf: [{ required: ['toMessageId'] }, { required: ['toLength'] }],
      'x-one-of': 'toMessageId or toLength',
    },
  ),
);

export const ForkSession = named(
  'ForkSession',
  closed({
    atMessageId: Type.Optional(
      nullable(
        Type.String({
          maxLength: 128,
          description: 'The bot message that is to be the last one; the newest when absent.',
        }),
      ),
    ),
    id: Type.Optional(nullable(Id)),
    displayName: Type.Optional(nullable(DisplayName)),
  }),
);

export const ImportMessages = named(
  'ImportMessages',
  closed({
    messages: Type.Array(HistoryMessage, {
      minItems: 1,
      maxItems: HISTORY_MAX,
      description:
        'Authors in any order; the last message is one of the bot, calls are answered by the message after them.',
    }),
  }),
);

/** A JSON merge patch (RFC 7396): `null` removes, and restores the default of `ttl`. */
export const SessionPatch = named(
  'SessionPatch',
  closed({
    model: Type.Optional(Model),
    displayName: Type.Optional(nullable(DisplayName)),
    metadata: Type.Optional(MetadataPatch),
    context: Type.Optional(nullable(Context)),
    examples: Type.Optional(nullable(Examples)),
    contextWindow: Type.Optional(nullable(GivenWindow)),
    tokenBudget: Type.Optional(nullable(TokenBudget)),
    ttl: Type.Optional(nullable(Ttl)),
    ...settingPatches,
  }),
);
