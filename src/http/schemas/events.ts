// What an event stream carries: one schema per event, by its name.

import { type TSchema, Type } from 'typebox';
import { Part } from './message.ts';
import { Count, closed, Id, named, ref, Time } from './schema.ts';
import { Candidate, Sent, TurnWithoutTexts } from './turn.ts';

export const TurnQueued = named(
  'TurnQueued',
  closed({
    sessionId: Id,
    turnId: Id,
    position: Type.Integer({
      minimum: 1,
      description: 'In line. Only with `onBusy: "enqueue"`, while another turn runs.',
    }),
  }),
);

export const TurnStarted = named(
  'TurnStarted',
  closed({
    sessionId: Id,
    turnId: Id,
    model: Type.String(),
    createTime: Time,
    sent: ref(Sent),
    regenerates: Type.Optional(Id),
  }),
);

export const CandidateDelta = named(
  'CandidateDelta',
  closed({
    index: Count,
    text: Type.String({ description: 'Visible text to append; may be empty.' }),
    parts: Type.Optional(
      Type.Array(ref(Part), { description: 'All parts of the chunk, when there is more than plain text among them.' }),
    ),
  }),
);

const { text: _text, parts: _parts, errors: _errors, ...finished } = Candidate.properties;
export const CandidateFinished = named('CandidateFinished', closed(finished));

export const EVENTS: Readonly<Record<string, TSchema & { $id: string }>> = {
  'turn.queued': TurnQueued,
  'turn.started': TurnStarted,
  'candidate.delta': CandidateDelta,
  'candidate.finished': CandidateFinished,
  'turn.committed': TurnWithoutTexts,
  'turn.blocked': TurnWithoutTexts,
  'turn.failed': TurnWithoutTexts,
  'turn.cancelled': TurnWithoutTexts,
};

/** The body of a stream, as far as OpenAPI 3.1 can say it. */
export const EventStream = Type.String({
  description: [
    'Server-Sent Events. Every event has `id:` (opaque, valid as `Last-Event-ID`), `event:` and one line of JSON `data:`:',
    ...Object.entries(EVENTS).map(([name, schema]) => `* \`${name}\`: \`${schema.$id}\``),
    'Exactly one of the last four ends the stream. An end without it means "reconnect", never success.',
  ].join('\n'),
  'x-events': Object.fromEntries(Object.entries(EVENTS).map(([name, schema]) => [name, { $ref: schema.$id }])),
});
