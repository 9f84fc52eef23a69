// Disturbs a run in three lanes, processes, Redis and network, each one disturbance at a time. What comes when is drawn
// from the seed; a lane waits for what it has broken to be whole again.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type Disturbance,
  type Hold,
  NETWORK_DISTURBANCES,
  REPLICA_DISTURBANCES,
  redisDisturbances,
  type Scene,
} from './disturbances.ts';
import type { Random } from './random.ts';

export interface Disturbed {
  readonly kind: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly what: string;
}

const GAP_MS = { replica: [3000, 9000], redis: [2500, 7000], network: [1000, 5000] } as const;
type Lane = keyof typeof GAP_MS;

export interface Nemesis {
  readonly done: readonly Disturbed[];
  /** Resolves when every lane has put right what it was at. */
  readonly ended: Promise<void>;
}

export function startNemesis(scene: Scene, random: Random, nowMs: () => number, stop: AbortSignal): Nemesis {
  const done: Disturbed[] = [];
  const hold: Hold = (ms) => delay(ms, undefined, { signal: stop }).catch(() => undefined);
  const lanes: readonly [Lane, readonly Disturbance[]][] = [
    ['replica', REPLICA_DISTURBANCES],
    ['redis', redisDisturbances(scene.topology)],
    ['network', NETWORK_DISTURBANCES],
  ];
  const run = async (lane: Lane, disturbances: readonly Disturbance[]) => {
    const [gapMin, gapMax] = GAP_MS[lane];
    for (let n = 0; !stop.aborted; n += 1) {
      const own = random.named(`${lane}-${n}`);
      await hold(own.whole(gapMin, gapMax));
      if (stop.aborted) return;
      const kind = own.weighted(Object.fromEntries(disturbances.map((one) => [one.kind, one.weight])));
      const fromMs = nowMs();
      const act = disturbances.find((one) => one.kind === kind)?.act;
      const what = (await act?.(scene, own, hold).catch((error) => `failed: ${String(error)}`)) ?? '';
      done.push({ kind, fromMs, toMs: nowMs(), what });
      if (lane === 'redis') await scene.topology.settle().catch((error) => done.push(unsettled(error, nowMs())));
    }
  };
  const ended = Promise.all(lanes.map(([lane, disturbances]) => run(lane, disturbances))).then(() => undefined);
  return { done, ended };
}

function unsettled(error: unknown, atMs: number): Disturbed {
  return { kind: 'redis did not settle', fromMs: atMs, toMs: atMs, what: String(error) };
}
