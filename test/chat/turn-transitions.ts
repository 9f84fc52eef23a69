// The transition table of the turn: every phase with every input, and what has to come of it, in words. A pair that is
// missing here does not compile.

import { ChatError } from '../../src/chat/errors.ts';
import type { ModelChunk } from '../../src/chat/language-model.ts';
import {
  type Ending,
  FIRST_PHASE,
  step,
  type TurnInput,
  type TurnPhase,
  type TurnRules,
} from '../../src/chat/turn-machine.ts';

type Kind = TurnPhase['kind'];
type Type = TurnInput['type'];
type InputOf<T extends Type> = Extract<TurnInput, { readonly type: T }>;
type PhaseOf<K extends Kind> = Extract<TurnPhase, { readonly kind: K }>;

interface Row<K extends Kind, T extends Type> {
  readonly when: string;
  readonly from: PhaseOf<K>;
  readonly input: InputOf<T>;
  readonly rules?: Partial<TurnRules>;
  readonly to: Kind;
  readonly effects: readonly string[];
}

type Table = { readonly [K in Kind]: { readonly [T in Type]: readonly Row<K, T>[] } };

export const chunk = (text: string, finishReason?: string): ModelChunk => ({
  candidates: [{ index: 0, parts: text === '' ? [] : [{ text }], ...(finishReason ? { finishReason } : {}) }],
});

/** The phase in which the model has said these. */
function afterChunks(...chunks: readonly ModelChunk[]): PhaseOf<'running'> {
  let phase: TurnPhase = FIRST_PHASE;
  for (const said of chunks) phase = step(phase, { type: 'chunk', chunk: said }, RULES).phase;
  if (phase.kind !== 'running') throw new Error('the chunks were too much');
  return phase;
}

export const RULES: TurnRules = { isStream: true, answerSizeMax: 100 };
const NOTHING = afterChunks();
const HALF = afterChunks(chunk('Hel'));
const WHOLE = afterChunks(chunk('Hel'), chunk('lo', 'STOP'));
const COMMITTED: Ending = { state: 'COMMITTED', chosenCandidate: 0 };
const finishing = (ending: Ending): PhaseOf<'finishing'> => ({ kind: 'finishing', answer: WHOLE.answer, ending });
const ENDED: PhaseOf<'ended'> = { kind: 'ended', answer: WHOLE.answer };
export const failure = new ChatError('model_error', 'broken');

/** Both phases after the running one answer most inputs with nothing. */
const ignored = <K extends Kind, T extends Type>(from: PhaseOf<K>, input: InputOf<T>): readonly Row<K, T>[] => {
  return [{ when: 'it is too late', from, input, to: from.kind, effects: [] }];
};

const TABLE: Table = {
  running: {
    chunk: [
      {
        when: 'plain text comes',
        from: NOTHING,
        input: { type: 'chunk', chunk: chunk('Hel') },
        to: 'running',
        effects: ['emit candidate.delta {"index":0,"text":"Hel"}'],
      },
      {
        when: 'more than text comes',
        from: HALF,
        input: { type: 'chunk', chunk: { candidates: [{ index: 1, parts: [{ text: 'a' }, { functionCall: {} }] }] } },
        to: 'running',
        effects: ['emit candidate.delta {"index":1,"text":"a","parts":[{"text":"a"},{"functionCall":{}}]}'],
      },
      {
        when: 'a thought comes',
        from: HALF,
        input: { type: 'chunk', chunk: { candidates: [{ index: 0, parts: [{ text: 'hm', thought: true }] }] } },
        to: 'running',
        effects: ['emit candidate.delta {"index":0,"text":"","parts":[{"text":"hm","thought":true}]}'],
      },
      {
        when: 'several candidates speak in one chunk',
        from: NOTHING,
        input: {
          type: 'chunk',
          chunk: { candidates: [...chunk('a').candidates, { index: 2, parts: [{ text: 'c' }] }] },
        },
        to: 'running',
        effects: ['emit candidate.delta {"index":0,"text":"a"}', 'emit candidate.delta {"index":2,"text":"c"}'],
      },
      {
        when: 'only a finish reason, or nothing at all comes',
        from: HALF,
        input: { type: 'chunk', chunk: chunk('', 'STOP') },
        to: 'running',
        effects: [],
      },
      {
        when: 'the answer is just not too large',
        from: HALF,
        input: { type: 'chunk', chunk: chunk('x'.repeat(97)) },
        to: 'running',
        effects: [`emit candidate.delta {"index":0,"text":"${'x'.repeat(97)}"}`],
      },
      {
        when: 'the answer becomes too large',
        from: HALF,
        input: { type: 'chunk', chunk: chunk('x'.repeat(98)) },
        to: 'finishing',
        effects: ['abortModel', 'finish FAILED answer_too_large'],
      },
      {
        when: 'the candidates together become too large',
        from: HALF,
        input: {
          type: 'chunk',
          chunk: { candidates: [...chunk('x'.repeat(50)).candidates, { index: 1, parts: [{ text: 'y'.repeat(50) }] }] },
        },
        to: 'finishing',
        effects: ['abortModel', 'finish FAILED answer_too_large'],
      },
    ],
    modelEnded: [
      {
        when: 'the answer is usable',
        from: WHOLE,
        input: { type: 'modelEnded' },
        to: 'finishing',
        effects: ['emit candidate.finished 0 STOP', 'finish COMMITTED 0'],
      },
      {
        when: 'it was blocked',
        from: afterChunks(chunk('Hel'), chunk('', 'SAFETY')),
        input: { type: 'modelEnded' },
        to: 'finishing',
        effects: ['emit candidate.finished 0 SAFETY blocked: SAFETY', 'finish BLOCKED SAFETY'],
      },
      {
        when: 'one of several candidates is usable',
        from: afterChunks(chunk('', 'SAFETY'), {
          candidates: [{ index: 1, parts: [{ text: 'ok' }], finishReason: 'STOP' }],
        }),
        input: { type: 'modelEnded' },
        to: 'finishing',
        effects: [
          'emit candidate.finished 0 SAFETY blocked: SAFETY',
          'emit candidate.finished 1 STOP',
          'finish COMMITTED 1',
        ],
      },
      {
        when: 'the stream was cut',
        from: HALF,
        input: { type: 'modelEnded' },
        to: 'finishing',
        effects: ['finish FAILED model_protocol_error'],
      },
      {
        when: 'a unary answer has no finish reason',
        from: HALF,
        input: { type: 'modelEnded' },
        rules: { isStream: false },
        to: 'finishing',
        effects: ['emit candidate.finished 0 FINISH_REASON_UNSPECIFIED', 'finish COMMITTED 0'],
      },
    ],
    modelFailed: [
      {
        when: 'the upstream, a timer or the drain ends it',
        from: HALF,
        input: { type: 'modelFailed', error: failure },
        to: 'finishing',
        effects: ['abortModel', 'finish FAILED model_error'],
      },
      {
        when: 'the answer was whole already',
        from: WHOLE,
        input: { type: 'modelFailed', error: failure },
        to: 'finishing',
        effects: ['abortModel', 'finish FAILED model_error'],
      },
    ],
    cancelled: [
      {
        when: 'somebody cancels',
        from: HALF,
        input: { type: 'cancelled', keep: 'none' },
        to: 'finishing',
        effects: ['abortModel', 'finish CANCELLED'],
      },
    ],
    stored: [{ when: 'it cannot be', from: HALF, input: { type: 'stored', version: 2 }, to: 'running', effects: [] }],
    lost: [
      {
        when: 'it was taken for dead',
        from: HALF,
        input: { type: 'lost', reason: 'fenced' },
        to: 'ended',
        effects: ['abortModel', 'conclude FAILED producer_lost'],
      },
      {
        when: 'its session was deleted',
        from: HALF,
        input: { type: 'lost', reason: 'gone' },
        to: 'ended',
        effects: ['abortModel', 'conclude CANCELLED'],
      },
    ],
    outcomeUnknown: [
      { when: 'it cannot be', from: HALF, input: { type: 'outcomeUnknown' }, to: 'running', effects: [] },
    ],
  },
  finishing: {
    chunk: ignored(finishing(COMMITTED), { type: 'chunk', chunk: chunk('more') }),
    modelEnded: ignored(finishing(COMMITTED), { type: 'modelEnded' }),
    modelFailed: ignored(finishing(COMMITTED), { type: 'modelFailed', error: failure }),
    cancelled: ignored(finishing(COMMITTED), { type: 'cancelled', keep: 'none' }),
    stored: [
      {
        when: 'the store has taken a commit',
        from: finishing(COMMITTED),
        input: { type: 'stored', version: 7 },
        to: 'ended',
        effects: ['conclude COMMITTED 0 at version 7'],
      },
      {
        when: 'the store has taken a cancellation',
        from: finishing({ state: 'CANCELLED' }),
        input: { type: 'stored', version: 7 },
        to: 'ended',
        effects: ['conclude CANCELLED at version 7'],
      },
    ],
    lost: [
      {
        when: 'it was taken for dead',
        from: finishing(COMMITTED),
        input: { type: 'lost', reason: 'fenced' },
        to: 'ended',
        effects: ['conclude FAILED producer_lost'],
      },
      {
        when: 'its session was deleted',
        from: finishing(COMMITTED),
        input: { type: 'lost', reason: 'gone' },
        to: 'ended',
        effects: ['conclude CANCELLED'],
      },
    ],
    outcomeUnknown: [
      {
        when: 'the store did not say',
        from: finishing(COMMITTED),
        input: { type: 'outcomeUnknown' },
        to: 'ended',
        effects: ['conclude FAILED store_unavailable'],
      },
    ],
  },
  ended: {
    chunk: ignored(ENDED, { type: 'chunk', chunk: chunk('more') }),
    modelEnded: ignored(ENDED, { type: 'modelEnded' }),
    modelFailed: ignored(ENDED, { type: 'modelFailed', error: failure }),
    cancelled: ignored(ENDED, { type: 'cancelled', keep: 'none' }),
    stored: ignored(ENDED, { type: 'stored', version: 2 }),
    lost: ignored(ENDED, { type: 'lost', reason: 'fenced' }),
    outcomeUnknown: ignored(ENDED, { type: 'outcomeUnknown' }),
  },
};

/** A row without the tie between its fields: `step` takes every phase with every input. */
interface AnyRow extends Omit<Row<Kind, Type>, 'from' | 'input'> {
  readonly from: TurnPhase;
  readonly input: TurnInput;
}

export const TRANSITIONS: readonly (AnyRow & { readonly name: string })[] = Object.entries(TABLE).flatMap(
  ([kind, inputs]) => {
    return Object.entries<readonly AnyRow[]>(inputs).flatMap(([type, rows]) => {
      return rows.map((row) => ({ name: `${kind} · ${type}`, ...row }));
    });
  },
);
