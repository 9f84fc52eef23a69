// Generation settings: defaults on a session, overrides on a send.

import { Type } from 'typebox';
import { LABEL_PAIRS_MAX } from '../../chat/settings.ts';
import { closed, nullable, opaqueObject, optional, optionalNullable, stringMap, words } from './schema.ts';

const Tools = { maxItems: 128, description: 'Passed through to the model.' };

const thinkingProperties = {
  includeThoughts: Type.Boolean(),
  thinkingBudget: Type.Integer(),
  thinkingLevel: Type.String({ maxLength: 64 }),
};

const LABEL_LIMITS = { pairs: LABEL_PAIRS_MAX, keyLength: 63, valueLength: 63 };

export const settingProperties = {
  maxOutputTokens: Type.Integer({ minimum: 1, description: 'Upper bound of the answer, in tokens.' }),
  temperature: Type.Number({ minimum: 0, description: '0 is a value. The upper end depends on the model.' }),
  topK: Type.Number({ minimum: 1 }),
  topP: Type.Number({ minimum: 0, maximum: 1 }),
  stopSequences: Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), { maxItems: 64 }),
  seed: Type.Integer({ minimum: -2147483648, maximum: 2147483647 }),
  presencePenalty: Type.Number(),
  frequencyPenalty: Type.Number(),
  responseMimeType: Type.String({ minLength: 1, maxLength: 256 }),
  responseJsonSchema: opaqueObject({ description: 'JSON Schema of the answer. Passed through to the model.' }),
  thinkingConfig: closed(optional(thinkingProperties)),
  safetySettings: Type.Array(
    closed({
      category: Type.String({ minLength: 1, maxLength: 128 }),
      threshold: Type.String({ minLength: 1, maxLength: 128 }),
      method: Type.Optional(Type.String({ maxLength: 128 })),
    }),
    { maxItems: 64 },
  ),
  tools: Type.Array(opaqueObject(), Tools),
  toolConfig: opaqueObject({ description: 'Passed through to the model.' }),
  labels: stringMap(LABEL_LIMITS),
};

/** What a session may hold as its defaults. */
export const settingDefaults = optional(settingProperties);

/** `null` clears a default, an absent field inherits it. */
export const settingOverrides = optionalNullable(settingProperties);

/** In a merge patch, `null` removes at every level. */
export const settingPatches = {
  ...settingOverrides,
  thinkingConfig: Type.Optional(nullable(closed(optionalNullable(thinkingProperties)))),
  labels: Type.Optional(
    Type.Unsafe<Record<string, string | null> | null>({
      type: ['object', 'null'],
      propertyNames: { minLength: 1, maxLength: LABEL_LIMITS.keyLength },
      additionalProperties: { type: ['string', 'null'], maxLength: LABEL_LIMITS.valueLength },
      maxProperties: 2 * LABEL_LIMITS.pairs,
    }),
  ),
};

/** Only on a send: never a session's default. */
export const sendOnlySettings = {
  candidateCount: Type.Optional(
    nullable(
      Type.Integer({
        minimum: 1,
        maximum: 32,
        description: 'How many alternative answers. The model decides how many it can give.',
      }),
    ),
  ),
};

export const GroundingSource = Type.Union(
  [
    closed({ type: words(['webSearch']), disableAttribution: Type.Optional(Type.Boolean()) }),
    closed({
      type: words(['vertexAiSearch']),
      dataStoreId: Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$' }),
      location: Type.String({ pattern: '^[a-z0-9-]{1,64}$' }),
      project: Type.Optional(Type.String({ pattern: '^[a-z0-9]+(?:[:.-]+[a-z0-9]+)*$', maxLength: 128 })),
      disableAttribution: Type.Optional(Type.Boolean()),
    }),
    closed({ type: words(['inlineContext']), inlineContext: Type.String({ minLength: 1 }) }),
  ],
  {
    description: 'What the answer is to be grounded on; never stored as history.',
  },
);
