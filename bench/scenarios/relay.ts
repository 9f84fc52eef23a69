// Turns that are relayed: at once, at the pace of a model, more of them than one core can carry, of one event, and unary.

import { type Carried, carry, type Load } from '../load.ts';
import type { Target } from '../targets/target.ts';
import {
  type Figure,
  type Figures,
  type Reference,
  type Scenario,
  sized,
  sizedLittle,
  subjectsOf,
} from './scenario.ts';
import { oneAtATime } from './store.ts';

interface Relay {
  readonly name: string;
  readonly title: string;
  readonly per: 'event' | 'turn';
  /** One helping of it; there are as many as it takes. */
  readonly load: Omit<Load, 'question'>;
  readonly events: number;
  readonly everyMs: number;
  readonly reference: Reference;
  readonly storeAtMost?: number;
  readonly perCoreAtLeast?: number;
}

const SECOND_US = 1_000_000;
/** The kernel counts processor time in ticks of 10 ms: there are to be sixty of them, of Redis, too. */
const ENOUGH_CPU_US = 600_000;
/** But no further helping after so long. */
const ENOUGH_MS = 5000;

function relay(what: Relay): Scenario {
  const { name, title, per, reference, storeAtMost, perCoreAtLeast } = what;
  const store = { name: 'store', unit: `µs CPU of Redis per ${per}`, reference: oneAtATime };
  const perCore = { name: 'perCore', unit: `${per}s per second of one core` };
  const figures: readonly Figure[] = [
    { name: 'cpu', unit: `µs CPU per ${per}`, reference },
    storeAtMost === undefined ? store : { ...store, atMost: storeAtMost },
    ...(perCoreAtLeast === undefined ? [] : [{ ...perCore, atLeast: perCoreAtLeast }]),
    { name: 'rate', unit: `${per}s per second` },
  ];
  return {
    name,
    title,
    figures,
    subjects: (bench) =>
      subjectsOf(bench, (target) => {
        if (target.pids.length === 0) return undefined;
        return (share) => measure(target, what, share);
      }),
  };
}

async function measure(target: Target, what: Relay, share: number): Promise<Figures> {
  const { per, everyMs, load } = what;
  const helping = {
    ...load,
    question: `[chunks:${sizedLittle(what.events, share)}] [every:${everyMs}] [bytes:200]`,
    turnsEach: sized(load.turnsEach, share),
    streams: sizedLittle(load.streams, share),
    spreadMs: (load.spreadMs ?? 0) * share,
  };
  let all: Carried | undefined;
  do all = add(all, await carry(target, helping));
  while (!isEnough(all, target.storePids.length > 0, share));
  const count = per === 'event' ? all.events : all.turns;
  return {
    cpu: all.cpuUs / count,
    ...(target.storePids.length > 0 ? { store: all.storeCpuUs / count } : {}),
    perCore: (count * SECOND_US) / all.cpuUs,
    rate: (count * 1000) / all.elapsedMs,
  };
}

function isEnough({ cpuUs, storeCpuUs, elapsedMs }: Carried, hasStore: boolean, share: number): boolean {
  const leastUs = hasStore ? Math.min(cpuUs, storeCpuUs) : cpuUs;
  return leastUs >= ENOUGH_CPU_US * share || elapsedMs >= ENOUGH_MS * share;
}

function add(all: Carried | undefined, more: Carried): Carried {
  if (!all) return more;
  return {
    turns: all.turns + more.turns,
    events: all.events + more.events,
    elapsedMs: all.elapsedMs + more.elapsedMs,
    cpuUs: all.cpuUs + more.cpuUs,
    storeCpuUs: all.storeCpuUs + more.storeCpuUs,
  };
}

export const burst = relay({
  name: 'burst',
  title: '64 events at once, 8 connections',
  per: 'event',
  events: 64,
  everyMs: 0,
  load: { streams: 8, turnsEach: 50 },
  reference: { target: 'node:http pipe', goal: 3 },
});

export const paced = relay({
  name: 'paced',
  title: '64 events, 20 ms apart, 100 connections',
  per: 'event',
  events: 64,
  everyMs: 20,
  load: { streams: 100, turnsEach: 2, spreadMs: 500 },
  reference: { target: 'undici dispatch', goal: 1.3 },
  storeAtMost: 5,
});

export const saturated = relay({
  name: 'saturated',
  title: '64 events, 20 ms apart, 500 connections',
  per: 'event',
  events: 64,
  everyMs: 20,
  load: { streams: 500, turnsEach: 2, spreadMs: 1000 },
  reference: { target: 'undici dispatch', goal: 1.25 },
  storeAtMost: 2.5,
  perCoreAtLeast: 35_000,
});

export const oneEvent = relay({
  name: 'one-event',
  title: 'turns of one event, 8 connections',
  per: 'turn',
  events: 1,
  everyMs: 0,
  load: { streams: 8, turnsEach: 200 },
  reference: { target: 'node:http pipe', goal: 2 },
});

export const unary = relay({
  name: 'unary',
  title: 'unary turns, 8 connections',
  per: 'turn',
  events: 1,
  everyMs: 0,
  load: { streams: 8, turnsEach: 200, isUnary: true },
  reference: { target: 'node:http pipe', goal: 2 },
});
