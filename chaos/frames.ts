// Frames of events, as the checker tells them apart.

import type { Frame } from './evidence.ts';

export const TERMINAL_EVENTS: readonly string[] = ['turn.committed', 'turn.blocked', 'turn.failed', 'turn.cancelled'];

export function isTerminal({ event }: Frame): boolean {
  return TERMINAL_EVENTS.includes(event);
}

/**
 * No event of the turn's log: what is told to those who wait (it has no epoch yet), or is made again from the turn's record;
 * the end of a turn whose session was deleted, which every replica says by itself; an end that the store did not confirm.
 */
export function isHearsay({ id, event, data }: Frame): boolean {
  if (id.startsWith('0-')) return true;
  if (event === 'turn.cancelled') return id.endsWith('-4294967295');
  return event === 'turn.failed' && data.includes('"store_unavailable"');
}

export function isOfLostProducer({ event, data }: Frame): boolean {
  return event === 'turn.failed' && data.includes('"producer_lost"');
}
