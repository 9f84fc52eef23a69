// Where the contents of a session belong. No two records that a session holds at one time have the same place, but the two of
// one turn (with all candidates, and with the chosen one).

import { REAPER_SEQ } from '../../chat/turn-event.ts';
import type { Place } from './box.ts';

export const CONFIG: Place = ['config'];

/** Counted from the start of the history: messages cannot change places. */
export const messageAt = (position: number): Place => ['message', position];

export const turnOf = (turnId: string): Place => ['turn', turnId];

export const questionOf = (turnId: string): Place => ['question', turnId];

/** What a reaper's event follows is known to the store alone. */
export function framesOf(epoch: number, { afterSeq, lastSeq }: { afterSeq: number; lastSeq: number }): Place {
  return ['frames', epoch, lastSeq === REAPER_SEQ ? 'last' : afterSeq, lastSeq];
}
