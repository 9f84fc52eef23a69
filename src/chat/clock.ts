// Time, ids and chance, as arguments: the domain reads none of them itself, so that tests can.

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once after `ms`; the returned function takes it back. */
  after(ms: number, task: () => void): () => void;
}

export function isoTime(ms: number): string {
  if (ms !== newest.ms) newest = { ms, text: new Date(ms).toISOString() };
  return newest.text;
}

/** A turn writes its times several times, and many turns begin in one millisecond. */
let newest = { ms: 0, text: new Date(0).toISOString() };

export type NewId = () => string;

/** A number in [0, 1). */
export type Chance = () => number;
