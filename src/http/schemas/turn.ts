// Turns.

import { type Static, Type } from 'typebox';
import { Part } from './message.ts';
import { Problem } from './problem.ts';
import { Count, closed, Id, named, opaqueObject, ref, Time, words } from './schema.ts';
import { Usage } from './session.ts';

export const CancelTurn = named(
  'CancelTurn',
  closed({
    keep: Type.Optional(
      words(['none', 'partial'], {
        default: 'none',
        description: 'Whether the text that is there already enters the history, with its question.',
      }),
    ),
  }),
);

export const ChooseCandidate = named(
  'ChooseCandidate',
  closed({ candidate: Type.Integer({ minimum: 0, description: 'Its `index`.' }) }),
);

export const Citation = named(
  'Citation',
  closed({
    startIndex: Count,
    endIndex: Count,
    url: Type.String(),
    title: Type.Optional(Type.String()),
    license: Type.Optional(Type.String()),
    publicationDate: Type.Optional(Type.String()),
  }),
);

interface Grounding {
  citations: Static<typeof Citation>[];
  searchQueries: string[];
  emulated?: boolean;
  [field: string]: unknown;
}

export const GroundingMetadata = named(
  'GroundingMetadata',
  Type.Unsafe<Grounding>({
    type: 'object',
    required: ['citations', 'searchQueries'],
    properties: {
      citations: { type: 'array', items: { $ref: Citation.$id } },
      searchQueries: { type: 'array', items: { type: 'string' } },
      emulated: {
        type: 'boolean',
        description: 'True when `inlineContext` was given as an instruction, since the model has no such grounding.',
      },
    },
    additionalProperties: true,
    description: 'What else the model reported is kept beside citations and search queries.',
  }),
);

const Scores = Type.Unsafe<Record<string, number>>({
  type: 'object',
  additionalProperties: { type: 'number' },
  description: 'Category to score; categories without one are left out.',
});

const candidateProperties = {
  index: Count,
  finishReason: Type.String({ description: "The model's word, verbatim; an open set." }),
  isBlocked: Type.Boolean(),
  blockReason: Type.Optional(Type.String()),
  errors: Type.Array(Type.Number()),
  safetyAttributes: Scores,
  safetyRatings: Type.Optional(Type.Array(opaqueObject())),
  groundingMetadata: ref(GroundingMetadata),
  citations: Type.Array(ref(Citation), { description: 'Recitation.' }),
};

export const Candidate = named(
  'Candidate',
  closed({ ...candidateProperties, text: Type.String(), parts: Type.Array(ref(Part)) }),
);

export const CandidateWithoutText = named('CandidateWithoutText', closed(candidateProperties));

export const Sent = named(
  'Sent',
  closed(
    { messages: Count, omittedMessages: Count },
    {
      description:
        'How many messages the model was sent, the new question included, and how many of the history it was not (`contextWindow`).',
    },
  ),
);

const STATES = ['QUEUED', 'RUNNING', 'COMMITTED', 'BLOCKED', 'FAILED', 'CANCELLED'] as const;

const turnProperties = {
  sessionId: Id,
  turnId: Id,
  state: words(STATES),
  isBlocked: Type.Boolean(),
  blockReason: Type.Optional(Type.String()),
  errors: Type.Array(Type.Number()),
  safetyAttributes: Scores,
  groundingMetadata: ref(GroundingMetadata),
  chosenCandidate: Type.Optional(Count),
  usage: ref(Usage),
  model: Type.String(),
  modelVersion: Type.Optional(Type.String()),
  createTime: Time,
  endTime: Type.Optional(Time),
  messages: Type.Optional(
    Type.Array(Id, { description: 'Ids of question and answer; only a turn that has them is in the history.' }),
  ),
  superseded: Type.Optional(
    Type.Boolean({ description: 'True when its messages have been removed from the history, or replaced, since.' }),
  ),
  regenerates: Type.Optional(
    Type.Unsafe<string>({ ...Id, description: 'The turn whose question this one answers again.' }),
  ),
  sessionVersion: Type.Optional(Type.Integer()),
  problem: Type.Optional(ref(Problem)),
  sent: ref(Sent),
};

export const Turn = named(
  'Turn',
  closed({ ...turnProperties, text: Type.String(), candidates: Type.Array(ref(Candidate)) }),
);

export const TurnPage = named(
  'TurnPage',
  closed({ turns: Type.Array(ref(Turn)), nextPageToken: Type.Optional(Type.String()) }),
);

/** The turn as the terminal event of a stream carries it. */
export const TurnWithoutTexts = named(
  'TurnWithoutTexts',
  closed({ ...turnProperties, candidates: Type.Array(ref(CandidateWithoutText)) }),
);
