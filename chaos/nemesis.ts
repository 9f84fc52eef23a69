// Disturbs a run in four lanes, processes, Redis, network, and single steps of turns, each one disturbance at a time. What
// comes when is drawn from the seed; a lane waits for what it has broken to be whole again.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type Disturbance,
  type Hold,
  NETWORK_DISTURBANCES,
  REPLICA_DISTURBANCES,
  redisDisturbances,
  type Scene,
} from './disturbances.ts';
import type { Disturbed, Lane } from './evidence.ts';
import type { Random } from './random.ts';
import { STEP_DISTURBANCES } from './step-disturbances.ts';

const GAP_MS = {
  replica: [3000, 9000],
  redis: [2500, 7000],
  network: [1000, 5000],
  step: [100, 1200],
} as const satisfies Record<Lane, readonly [number, number]>;

export interface Nemesis {
  readonly done: readonly Disturbed[];
  /** Resolves when every lane has put right what it was at. */
  readonly ended: Promise<void>;
}

/** `faults`: parts of the names of the only ones that are wanted. */
export interface NemesisOptions {
  readonly random: Random;
  readonly nowMs: () => number;
  readonly faults?: readonly string[];
  /** So many times the usual time between two of them. */
  readonly gaps: number;
}

export function startNemesis(
  scene: Scene,
  { random, nowMs, faults, gaps }: NemesisOptions,
  stop: AbortSignal,
): Nemesis {
  const done: Disturbed[] = [];
  const hold: Hold = (ms) => delay(ms, undefined, { signal: stop }).catch(() => undefined);
  const lanes: readonly [Lane, readonly Disturbance[]][] = [
    ['replica', REPLICA_DISTURBANCES],
    ['redis', redisDisturbances(scene.topology)],
    ['network', NETWORK_DISTURBANCES],
    ['step', STEP_DISTURBANCES],
  ];
  const isWanted = ({ kind }: Disturbance) => faults?.some((part) => kind.includes(part)) ?? true;
  const run = async (lane: Lane, disturbances: readonly Disturbance[]) => {
    const [gapMin, gapMax] = GAP_MS[lane];
    for (let n = 0; !stop.aborted; n += 1) {
      const own = random.named(`${lane}-${n}`);
      await hold(gaps * own.whole(gapMin, gapMax));
      if (stop.aborted) return;
      const kind = own.weighted(Object.fromEntries(disturbances.map((one) => [one.kind, one.weight])));
      const fromMs = nowMs();
      const act = disturbances.find((one) => one.kind === kind)?.act;
      const what = (await act?.(scene, own, hold).catch((error) => `failed: ${String(error)}`)) ?? '';
      done.push({ lane, kind, fromMs, toMs: nowMs(), what });
      if (lane === 'redis') await scene.topology.settle().catch((error) => done.push(unsettled(error, nowMs())));
    }
  };
  const wanted = lanes.map(([lane, all]) => [lane, all.filter(isWanted)] as const).filter(([, all]) => all.length > 0);
  const ended = Promise.all(wanted.map(([lane, disturbances]) => run(lane, disturbances))).then(() => undefined);
  return { done, ended };
}

function unsettled(error: unknown, atMs: number): Disturbed {
  return { lane: 'redis', kind: 'redis did not settle', fromMs: atMs, toMs: atMs, what: String(error) };
}
