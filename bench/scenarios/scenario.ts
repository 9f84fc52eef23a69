// What is measured: one load, the figures that come of it, and what each of them is held against.

import type { Replicas } from '../targets/replicas.ts';
import type { StartTarget, Target } from '../targets/target.ts';

export type Figures = Readonly<Record<string, number>>;

export interface Reference {
  /** Where it is not this scenario. */
  readonly scenario?: string;
  readonly target: string;
  /** Where it is not this figure. */
  readonly figure?: string;
  /** What the reader is told, where the name of the target does not say it. */
  readonly words?: string;
  /** The service is to be at most so many times as much. Without a goal, the ratio is shown and nothing is said of it. */
  readonly goal?: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly reference?: Reference;
  /** Of the service alone: these were set on another machine, or are no matter of a machine. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What is measured in a scenario, and is a column of its table. */
export interface Subject extends Partial<AsyncDisposable> {
  readonly name: string;
  /** One round, at this share of the full size; a figure that the subject does not have is left out. */
  measure(share: number): Promise<Figures>;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** Its columns are not the targets, but sizes of the service: it has a table of its own. */
  readonly isGrowth?: boolean;
  /** What comes of it is the same each time, or takes too long to be done again. */
  readonly roundsMax?: number;
  /** Each round begins with new processes: there is nothing that a round before could warm up. */
  readonly startsFresh?: boolean;
  /** Starts what it needs of its own. None, when what it is about has not been asked for. */
  subjects(bench: Bench): Promise<readonly Subject[]>;
}

/** What the scenarios of one run have in common. */
export interface Bench {
  readonly modelPort: number;
  /** What was asked for, by the name it was asked for. */
  readonly starters: Readonly<Record<string, StartTarget>>;
  /** The same names; each is started once, when the first scenario wants it. */
  targets(): Promise<ReadonlyMap<string, Target>>;
  /** The service, several times over one Redis; none, when the service has not been asked for. */
  replicas(): Promise<Replicas | undefined>;
  /** The biggest round there will be. */
  readonly share: number;
}

/** A size, at this share of it. */
export function sized(full: number, share: number, least = 1): number {
  return Math.max(least, Math.round(full * share));
}

/** For what stands beside each other, or follows each other in one turn: in a small round that does not become as small. */
export function sizedLittle(full: number, share: number): number {
  return sized(full, Math.min(1, share * 20), Math.min(full, 4));
}

/** Every target is a subject that has what `of` wants of it. */
export async function subjectsOf(
  bench: Bench,
  of: (target: Target) => Subject['measure'] | undefined,
): Promise<readonly Subject[]> {
  const targets = [...(await bench.targets()).values()];
  return targets.flatMap((target) => {
    const measure = of(target);
    return measure ? [{ name: target.name, measure }] : [];
  });
}
