// The life of a turn, as a total pure function: every input is answered in every phase.
//
//               chunk
//               ┌──┐
//               │  ▼
//   (begin) ──► running ── modelEnded · modelFailed · cancelled · too large ──► finishing ──► ended
//                  │                                                               ▲  │ stored
//                  └────────────── lost (fenced · gone) ───────────────────────────┼──┘ lost · outcomeUnknown
//                                                                        every later input changes nothing
//
// Nobody is told the terminal state before the store has taken it (`conclude` follows `stored`), except that the
// turn is not ours any more or that the outcome could not be learned; both are said as what they are.

import {
  type Answer,
  addChunk,
  chunkSize,
  judge,
  NO_ANSWER,
  presentCandidate,
  textToKeep,
  type Verdict,
} from './answer.ts';
import { isPlainText, visibleText } from './content.ts';
import { ChatError } from './errors.ts';
import type { ModelChunk } from './language-model.ts';
import { candidateFinished, type TurnEvent } from './turn-event.ts';

/** `keptText` is what of the answer enters the history all the same, because the caller wanted it. */
export type Ending = Verdict | { readonly state: 'CANCELLED'; readonly keptText?: string };

/** What becomes of the half answer of a turn that is cancelled. */
export type Keep = 'none' | 'partial';

export type TurnPhase =
  | { readonly kind: 'running'; readonly answer: Answer; readonly size: number }
  | {
      readonly kind: 'finishing';
      readonly answer: Answer;
      readonly ending: Ending;
    }
  | { readonly kind: 'ended'; readonly answer: Answer };

export type TurnInput =
  | { readonly type: 'chunk'; readonly chunk: ModelChunk }
  | { readonly type: 'modelEnded' }
  /** Also: timeout, drain. Whatever makes going on pointless. */
  | { readonly type: 'modelFailed'; readonly error: ChatError }
  | { readonly type: 'cancelled'; readonly keep: Keep }
  | { readonly type: 'stored'; readonly version: number }
  | { readonly type: 'lost'; readonly reason: 'fenced' | 'gone' }
  | { readonly type: 'outcomeUnknown' };

export type TurnEffect =
  | { readonly type: 'emit'; readonly event: TurnEvent }
  | { readonly type: 'abortModel' }
  | { readonly type: 'finish'; readonly ending: Ending }
  /** Tell everybody how it ended. `version` is there when the store has taken the ending. */
  | {
      readonly type: 'conclude';
      readonly ending: Ending;
      readonly version?: number;
    };

export interface TurnRules {
  readonly isStream: boolean;
  /** In UTF-16 units of text and JSON. */
  readonly answerSizeMax: number;
}

export interface Step {
  readonly phase: TurnPhase;
  readonly effects: readonly TurnEffect[];
}

export const FIRST_PHASE: TurnPhase = {
  kind: 'running',
  answer: NO_ANSWER,
  size: 0,
};

export function step(phase: TurnPhase, input: TurnInput, rules: TurnRules): Step {
  switch (phase.kind) {
    case 'running':
      return stepRunning(phase, input, rules);
    case 'finishing':
      return stepFinishing(phase, input);
    case 'ended':
      return unchanged(phase);
    default:
      return phase satisfies never;
  }
}

type Running = Extract<TurnPhase, { kind: 'running' }>;
type Finishing = Extract<TurnPhase, { kind: 'finishing' }>;

function stepRunning(phase: Running, input: TurnInput, rules: TurnRules): Step {
  const { answer } = phase;
  switch (input.type) {
    case 'chunk':
      return takeChunk(phase, input.chunk, rules);
    case 'modelEnded': {
      const ending = judge(answer, rules.isStream);
      const finished = ending.state === 'FAILED' ? [] : candidatesFinished(answer, ending, rules);
      return {
        phase: { kind: 'finishing', answer, ending },
        effects: [...finished, { type: 'finish', ending }],
      };
    }
    case 'modelFailed':
      return stop(answer, { state: 'FAILED', error: input.error });
    case 'cancelled': {
      const keptText = input.keep === 'partial' ? textToKeep(answer) : '';
      return stop(answer, { state: 'CANCELLED', ...(keptText === '' ? {} : { keptText }) });
    }
    case 'lost':
      return {
        phase: { kind: 'ended', answer },
        effects: [{ type: 'abortModel' }, { type: 'conclude', ending: endingOfLoss(input.reason) }],
      };
    case 'stored':
    case 'outcomeUnknown':
      return unchanged(phase);
    default:
      return input satisfies never;
  }
}

function stepFinishing(phase: Finishing, input: TurnInput): Step {
  const ended: TurnPhase = { kind: 'ended', answer: phase.answer };
  switch (input.type) {
    case 'stored':
      return {
        phase: ended,
        effects: [{ type: 'conclude', ending: phase.ending, version: input.version }],
      };
    case 'lost':
      return {
        phase: ended,
        effects: [{ type: 'conclude', ending: endingOfLoss(input.reason) }],
      };
    case 'outcomeUnknown': {
      const error = new ChatError(
        'store_unavailable',
        'The store did not say whether the turn was kept. Read the turn.',
        // It may have committed: sending the message again could answer it twice.
        { retryable: false },
      );
      return {
        phase: ended,
        effects: [{ type: 'conclude', ending: { state: 'FAILED', error } }],
      };
    }
    // Too late: the ending is on its way to the store.
    case 'chunk':
    case 'modelEnded':
    case 'modelFailed':
    case 'cancelled':
      return unchanged(phase);
    default:
      return input satisfies never;
  }
}

function takeChunk(phase: Running, chunk: ModelChunk, rules: TurnRules): Step {
  const size = phase.size + chunk.candidates.reduce((sum, candidate) => sum + chunkSize(candidate.parts), 0);
  const answer = addChunk(phase.answer, chunk);
  if (size > rules.answerSizeMax) {
    return stop(answer, {
      state: 'FAILED',
      error: new ChatError('answer_too_large', `The answer is larger than ${rules.answerSizeMax} characters.`),
    });
  }
  return { phase: { kind: 'running', answer, size }, effects: deltas(chunk) };
}

function deltas(chunk: ModelChunk): readonly TurnEffect[] {
  const effects: TurnEffect[] = [];
  for (const { index, parts } of chunk.candidates) {
    const text = visibleText(parts);
    if (parts.every(isPlainText)) {
      if (text !== '')
        effects.push({
          type: 'emit',
          event: { type: 'candidate.delta', data: { index, text } },
        });
    } else {
      effects.push({
        type: 'emit',
        event: { type: 'candidate.delta', data: { index, text, parts } },
      });
    }
  }
  return effects;
}

function candidatesFinished(answer: Answer, verdict: Verdict, rules: TurnRules): readonly TurnEffect[] {
  return answer.candidates.map((candidate) => ({
    type: 'emit',
    event: candidateFinished(presentCandidate(candidate, rules.isStream, verdict)),
  }));
}

function stop(answer: Answer, ending: Ending): Step {
  return {
    phase: { kind: 'finishing', answer, ending },
    effects: [{ type: 'abortModel' }, { type: 'finish', ending }],
  };
}

/** `gone`: the session was deleted, which cancels its turn. `fenced`: somebody took this producer for dead. */
function endingOfLoss(reason: 'fenced' | 'gone'): Ending {
  if (reason === 'gone') return { state: 'CANCELLED' };
  const error = new ChatError('producer_lost', 'The turn was given up because its producer seemed dead.');
  return { state: 'FAILED', error };
}

function unchanged(phase: TurnPhase): Step {
  return { phase, effects: [] };
}
