// The transition table of the turn: every phase with every input, and what has to come of it, in words. A pair that is
// missing here does not compile.

import type { TurnInput, TurnPhase } from '../../src/chat/turn-machine.ts';
import { RUNNING } from './running-transitions.ts';
import {
  COMMITTED,
  chunk,
  ENDED,
  failure,
  finishing,
  ignored,
  KEEPING,
  type Kind,
  type Row,
  type Table,
  type Type,
} from './transition-rows.ts';

const TABLE: Table = {
  running: RUNNING,
  finishing: {
    chunk: ignored(finishing(COMMITTED), { type: 'chunk', chunk: chunk('more') }),
    modelEnded: ignored(finishing(COMMITTED), { type: 'modelEnded' }),
    modelFailed: ignored(finishing(COMMITTED), { type: 'modelFailed', error: failure }),
    cancelled: [
      ...ignored(finishing(COMMITTED), { type: 'cancelled', keep: 'none' }),
      ...ignored(finishing(COMMITTED), KEEPING),
      ...ignored(finishing({ state: 'CANCELLED' }), KEEPING),
      ...ignored(finishing({ state: 'CANCELLED', keptText: 'Hel' }), { type: 'cancelled', keep: 'none' }),
    ],
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
      {
        when: 'the store has taken what was kept',
        from: finishing({ state: 'CANCELLED', keptText: 'Hel' }),
        input: { type: 'stored', version: 7 },
        to: 'ended',
        effects: ['conclude CANCELLED, keeping "Hel" at version 7'],
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
      {
        when: 'its session was deleted, and with it what was kept',
        from: finishing({ state: 'CANCELLED', keptText: 'Hel' }),
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
    cancelled: [...ignored(ENDED, { type: 'cancelled', keep: 'none' }), ...ignored(ENDED, KEEPING)],
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
