// One run: scenario after scenario, and in each of them round after round, in which the subjects take turns.

import type { Bench, Figures, Scenario, Subject } from './scenarios/scenario.ts';
import { startReplicas } from './targets/replicas.ts';
import { SERVICE } from './targets/service.ts';
import type { StartTarget, Target } from './targets/target.ts';

export interface Measured {
  readonly scenario: Scenario;
  readonly subject: string;
  /** One for each round; fewer when it failed. */
  readonly rounds: readonly Figures[];
  readonly failure?: unknown;
}

export interface RunOptions {
  readonly scenarios: readonly Scenario[];
  readonly starters: Readonly<Record<string, StartTarget>>;
  readonly modelPort: number;
  readonly rounds: number;
  readonly share: number;
  /** One round before those that count, of a smaller share. */
  readonly warmsUp: boolean;
}

const WARM_UP_SHARE = 0.25;
/** What takes longer hangs. */
const ROUND_MS_MAX = 300_000;

/** Answers scenario by scenario. A subject that fails is left out of the rest of the scenario. */
export async function* run(options: RunOptions): AsyncGenerator<readonly Measured[]> {
  await using started = new AsyncDisposableStack();
  const bench = benchOf(options, started);
  for (const scenario of options.scenarios) {
    await using own = new AsyncDisposableStack();
    yield await prepared(scenario, bench, own).then(
      (subjects) => measure(scenario, subjects, options),
      // What is prepared for a scenario alone is the service.
      (failure: unknown) => [{ scenario, subject: SERVICE, rounds: [], failure }],
    );
  }
}

/** What they have started is ended with `own`. */
async function prepared(scenario: Scenario, bench: Bench, own: AsyncDisposableStack): Promise<readonly Subject[]> {
  const subjects = await scenario.subjects(bench);
  for (const subject of subjects) own.defer(async () => subject[Symbol.asyncDispose]?.());
  return subjects;
}

async function measure(scenario: Scenario, subjects: readonly Subject[], options: RunOptions) {
  const { rounds, share, warmsUp } = options;
  const count = Math.min(rounds, scenario.roundsMax ?? rounds);
  const warmUps = warmsUp && !scenario.startsFresh ? [share * WARM_UP_SHARE] : [];
  const measured = new Map(
    subjects.map(({ name }) => [name, { rounds: [] as Figures[], failure: undefined as unknown }]),
  );
  for (const [round, size] of [...warmUps, ...Array<number>(count).fill(share)].entries()) {
    for (const subject of subjects) {
      const own = measured.get(subject.name);
      if (!own || own.failure !== undefined) continue;
      try {
        const figures = await inTime(subject.measure(size));
        if (round >= warmUps.length) own.rounds.push(figures);
      } catch (error) {
        own.failure = error;
      }
    }
  }
  return [...measured].map(([subject, own]) => ({ scenario, subject, ...own }));
}

async function inTime<T>(measuring: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no end within ${ROUND_MS_MAX} ms`)), ROUND_MS_MAX);
  try {
    return await Promise.race([measuring, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is started in it is ended with `started`. */
function benchOf({ modelPort, starters, share }: RunOptions, started: AsyncDisposableStack): Bench {
  const startTargets = once(async () => {
    const targets = new Map<string, Target>();
    for (const [key, start] of Object.entries(starters)) targets.set(key, started.use(await start(modelPort)));
    return targets;
  });
  const replicas = once(async () => (starters.service ? started.use(await startReplicas(modelPort)) : undefined));
  return { modelPort, starters, share, targets: startTargets, replicas };
}

function once<T>(start: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= start();
    return running;
  };
}
