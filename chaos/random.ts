// Every choice of a run comes from its seed. A stream of choices has a name, so that what one client or one lane of
// faults draws does not depend on how fast the others were.

import { createHash } from 'node:crypto';

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
  /** One of the names, as often as its weight says; weights of 0 are never drawn. */
  weighted<N extends string>(weights: Readonly<Record<N, number>>): N;
  /** Choices of their own, that depend on the seed and this name alone. */
  named(name: string): Random;
}

export function randomFrom(seed: string): Random {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    whole,
    chance: (probability) => next() < probability,
    pick: (list) => list[whole(0, list.length - 1)] ?? list[0],
    weighted: (weights) => weighted(next(), weights),
    named: (name) => randomFrom(`${seed}/${name}`),
  };
}

function weighted<N extends string>(draw: number, weights: Readonly<Record<N, number>>): N {
  const entries = (Object.entries(weights) as [N, number][]).filter(([, weight]) => weight > 0);
  let left = draw * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  const last = entries.at(-1);
  if (!last) throw new Error('a choice needs something to choose from');
  return last[0];
}
