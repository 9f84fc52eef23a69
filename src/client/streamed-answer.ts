// The answer of one stream as far as it is known: what each event adds to it, what a broken stream has left out, and
// the whole turn at its end.

import type { Part } from '../chat/content.ts';
import type { Candidate, Turn, withoutTexts } from '../chat/turn.ts';
import type { CandidateDelta, CandidateFinished } from '../chat/turn-event.ts';
import { ChatProxyError } from './chat-proxy-error.ts';
import type { TextGenerationResponse } from './responses.ts';

export type TurnWithoutTexts = ReturnType<typeof withoutTexts>;

interface CandidateSoFar {
  text: string;
  readonly parts: Part[];
  isFinished: boolean;
}

const NOTHING_SAID = {
  text: '',
  parts: [],
  isBlocked: false,
  errors: [],
  safetyAttributes: {},
  groundingMetadata: { citations: [], searchQueries: [] },
  citations: [],
};

export class StreamedAnswer {
  readonly #candidates = new Map<number, CandidateSoFar>();
  #hasShownBlock = false;

  delta(delta: CandidateDelta): TextGenerationResponse {
    const { index, text } = delta;
    // `parts` are all parts of the piece, the plain ones too: adding `text` to them would say it twice.
    const parts = delta.parts ?? (text === '' ? [] : [{ text }]);
    const candidate = this.#candidate(index);
    candidate.text += text;
    for (const part of parts) appendPart(candidate.parts, part);
    return { ...NOTHING_SAID, ...delta, parts };
  }

  finished(finished: CandidateFinished): TextGenerationResponse {
    this.#candidate(finished.index).isFinished = true;
    this.#hasShownBlock ||= finished.isBlocked;
    return { ...NOTHING_SAID, ...finished };
  }

  /** A prompt that was blocked has no candidate to say so: a piece of its own does. */
  *block(turn: Turn): Generator<TextGenerationResponse> {
    if (!turn.isBlocked || this.#hasShownBlock) return;
    const { isBlocked, blockReason, errors, safetyAttributes, groundingMetadata } = turn;
    const reason = blockReason === undefined ? {} : { blockReason };
    const facts = { isBlocked, ...reason, errors, safetyAttributes, groundingMetadata };
    yield { ...NOTHING_SAID, index: turn.chosenCandidate ?? 0, ...facts };
  }

  /** The turn that the last event tells, with the texts that the others told. */
  whole(last: TurnWithoutTexts): Turn {
    const candidates: readonly Candidate[] = last.candidates.map((candidate) => {
      const { text = '', parts = [] } = this.#candidates.get(candidate.index) ?? {};
      return { ...candidate, text, parts };
    });
    const top = candidates.find(({ index }) => index === last.chosenCandidate) ?? candidates[0];
    return { ...last, text: top?.text ?? '', candidates };
  }

  /** What a stream that broke has not told of this turn. Fails when the turn is not what was shown so far. */
  *missing(turn: Turn): Generator<TextGenerationResponse> {
    for (const { text, parts, errors: _errors, ...facts } of turn.candidates) {
      const shown = this.#candidate(facts.index);
      if (!text.startsWith(shown.text) && !shown.text.startsWith(text)) {
        const { sessionId, turnId } = turn;
        throw new ChatProxyError('The answer is not the one whose beginning was streamed.', { sessionId, turnId });
      }
      const rest = partsAfter(shown.parts, parts);
      if (rest.length > 0) yield this.delta({ index: facts.index, text: text.slice(shown.text.length), parts: rest });
      // The facts of a candidate that never finished would be guesses.
      const hasVerdict = turn.state === 'COMMITTED' || turn.state === 'BLOCKED';
      if (hasVerdict && !shown.isFinished) yield this.finished(facts);
    }
  }

  #candidate(index: number): CandidateSoFar {
    const known = this.#candidates.get(index);
    if (known) return known;
    const candidate = { text: '', parts: [], isFinished: false };
    this.#candidates.set(index, candidate);
    return candidate;
  }
}

/** Which plain parts can be joined: `text`, `thought`, or not at all (a signature makes a part untouchable). */
function kindOf(part: Part): 'text' | 'thought' | undefined {
  if (typeof part.text !== 'string') return undefined;
  const fields = Object.keys(part).length;
  if (fields === 1) return 'text';
  return fields === 2 && part.thought === true ? 'thought' : undefined;
}

/** As the service joins the parts of neighbouring chunks, so that both come to the same list. */
function appendPart(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  const kind = kindOf(part);
  if (last && kind && kindOf(last) === kind) parts[parts.length - 1] = { ...last, text: `${last.text}${part.text}` };
  else parts.push(part);
}

function partsAfter(shown: readonly Part[], all: readonly Part[]): readonly Part[] {
  const whole: Part[] = [];
  for (const part of all) appendPart(whole, part);
  const last = shown.at(-1);
  const same = whole[shown.length - 1];
  if (!last || !same) return whole.slice(shown.length);
  const text = String(same.text ?? '').slice(String(last.text ?? '').length);
  return [...(text === '' ? [] : [{ ...same, text }]), ...whole.slice(shown.length)];
}
