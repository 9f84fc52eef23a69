// Time, ids and chance, as arguments: the domain reads none of them itself, so that tests can.

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once after `ms`; the returned function takes it back. */
  after(ms: number, task: () => void): () => void;
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export type NewId = () => string;

/** A number in [0, 1). */
export type Chance = () => number;
