// The turn machine follows its table of transitions, and keeps its promises in whatever order its inputs come.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_ANSWER } from '../../src/chat/answer.ts';
import { type Ending, step, type TurnEffect, type TurnInput, type TurnPhase } from '../../src/chat/turn-machine.ts';
import { chunk, failure, RULES } from './transition-rows.ts';
import { TRANSITIONS } from './turn-transitions.ts';

function wordsOf(ending: Ending): string {
  switch (ending.state) {
    case 'COMMITTED':
      return `COMMITTED ${ending.chosenCandidate}`;
    case 'BLOCKED':
      return `BLOCKED ${ending.blockReason}`;
    case 'FAILED':
      return `FAILED ${ending.error.code}`;
    case 'CANCELLED':
      return ending.keptText === undefined ? 'CANCELLED' : `CANCELLED, keeping ${JSON.stringify(ending.keptText)}`;
    default:
      return ending satisfies never;
  }
}

function words(effect: TurnEffect): string {
  switch (effect.type) {
    case 'emit': {
      const { event } = effect;
      if (event.type !== 'candidate.finished') return `emit ${event.type} ${JSON.stringify(event.data)}`;
      const { index, finishReason, isBlocked, blockReason } = event.data;
      return `emit ${event.type} ${index} ${finishReason}${isBlocked ? ` blocked: ${blockReason}` : ''}`;
    }
    case 'abortModel':
      return 'abortModel';
    case 'finish':
      return `finish ${wordsOf(effect.ending)}`;
    case 'conclude':
      return `conclude ${wordsOf(effect.ending)}${effect.version === undefined ? '' : ` at version ${effect.version}`}`;
    default:
      return effect satisfies never;
  }
}

describe('the turn machine', () => {
  it.each(TRANSITIONS)('$name, when $when: $to', ({ from, input, rules, to, effects }) => {
    const before = JSON.stringify(from);
    const next = step(from, input, { ...RULES, ...rules });
    expect(next.effects.map(words)).toEqual(effects);
    expect(next.phase.kind).toBe(to);
    expect(JSON.stringify(from)).toBe(before);
    if (effects.length === 0 && input.type !== 'chunk') expect(next.phase).toBe(from);
  });

  const anInput: fc.Arbitrary<TurnInput> = fc.oneof(
    fc.record({
      type: fc.constant('chunk' as const),
      chunk: fc.constantFrom(chunk('a'), chunk('', 'STOP'), chunk('')),
    }),
    fc.constantFrom<TurnInput>(
      { type: 'modelEnded' },
      { type: 'modelFailed', error: failure },
      { type: 'cancelled', keep: 'none' },
      { type: 'cancelled', keep: 'partial' },
      { type: 'stored', version: 3 },
      { type: 'lost', reason: 'gone' },
      { type: 'lost', reason: 'fenced' },
      { type: 'outcomeUnknown' },
    ),
  );

  it('finishes once, concludes once, and says nothing after it, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(fc.array(anInput, { maxLength: 30 }), (inputs) => {
        let phase: TurnPhase = { kind: 'running', answer: NO_ANSWER, size: 0 };
        const effects: TurnEffect[] = [];
        for (const input of inputs) {
          const next = step(phase, input, { isStream: true, answerSizeMax: 5 });
          phase = next.phase;
          effects.push(...next.effects);
        }
        const types = effects.map(({ type }) => type);
        for (const once of ['finish', 'conclude', 'abortModel']) {
          expect(types.filter((type) => type === once).length).toBeLessThanOrEqual(1);
        }
        if (types.includes('conclude')) expect(types.at(-1)).toBe('conclude');
        expect(types.includes('conclude')).toBe(phase.kind === 'ended');
        const concluded = effects.find((effect) => effect.type === 'conclude');
        if (concluded?.version !== undefined) expect(types).toContain('finish');
      }),
      { numRuns: 1000 },
    );
  });
});
