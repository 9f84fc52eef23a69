// Disturbances that are aimed at one step of a turn: its script has been executed, and its reply is lost with its connection
// (so that it is sent again), or comes when nobody waits for it any more.

import { SCRIPTS } from '../src/adapters/redis/scripts.ts';
import type { Disturbance } from './disturbances.ts';

type Step = keyof typeof SCRIPTS;

/** How often each is drawn. */
const STEPS = {
  begin: 4,
  append: 3,
  finish: 6,
  cancel: 2,
  create: 1,
  update: 1,
  delete: 1,
  renew: 1,
  reap: 1,
  leave: 1,
} as const satisfies Partial<Record<Step, number>>;

/** A step that does not come in this time is not waited for. */
const AWAITED_MS = 1000;
/** Beyond the limit of a command (`REDIS_COMMAND_TIMEOUT_MS`). */
const LATE_MS = [2100, 3500] as const;

export const STEP_DISTURBANCES: readonly Disturbance[] = (Object.keys(STEPS) as (keyof typeof STEPS)[]).flatMap(
  (step) => [aimedAt(step, 'lost', 2 * STEPS[step]), aimedAt(step, 'late', STEPS[step])],
);

function aimedAt(step: Step, how: 'lost' | 'late', weight: number): Disturbance {
  return {
    kind: `reply of ${step} ${how}`,
    weight,
    act: async ({ replicas }, random, hold) => {
      const [replica, ms] = [random.pick(replicas), random.whole(...LATE_MS)];
      const { sha } = SCRIPTS[step];
      const { redis } = replica.links;
      const sprung = redis.map((link) => (how === 'lost' ? link.loseReplyTo(sha) : link.delayReplyTo(sha, ms)));
      const hasCome = await Promise.race([...sprung.map((one) => one.then(() => true)), hold(AWAITED_MS)]);
      for (const link of redis) link.disarm();
      return `of replica ${replica.number}${hasCome ? '' : ': none came'}${how === 'late' ? `, by ${ms} ms` : ''}`;
    },
  };
}
