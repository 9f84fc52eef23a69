// Turns that are relayed: at once, at the pace of a model, more of them than one core can carry, of one event, and unary.

import { carry, type Load } from '../load.ts';
import type { Target } from '../targets/target.ts';
import type { Scenario } from './scenario.ts';

const CPU = 'cpu';
const STORE = 'store';

interface Relay extends Omit<Scenario, 'measure' | 'figures'> {
  readonly per: 'event' | 'turn';
  readonly load: Load;
  readonly reference: { readonly target: string; readonly goal: number };
}

function relay({ per, load, reference, ...scenario }: Relay): Scenario {
  return {
    ...scenario,
    figures: [
      { name: CPU, unit: `µs CPU per ${per}`, reference },
      { name: STORE, unit: `µs CPU of Redis per ${per}` },
      { name: 'rate', unit: `${per}s per second` },
    ],
    async measure(target: Target, share: number) {
      const turnsEach = Math.max(1, Math.round(load.turnsEach * share));
      const streams = Math.max(1, Math.round(load.streams * Math.min(1, share * 10)));
      const carried = await carry(target, { ...load, turnsEach, streams });
      const count = per === 'event' ? carried.events : carried.turns;
      return {
        [CPU]: carried.cpuUs / count,
        ...(target.storePids.length > 0 ? { [STORE]: carried.storeCpuUs / count } : {}),
        rate: (count * 1000) / carried.elapsedMs,
      };
    },
  };
}

export const burst = relay({
  name: 'burst',
  title: '64 events at once, 8 connections',
  per: 'event',
  load: { streams: 8, turnsEach: 200, question: '[chunks:64] [every:0] [bytes:200]' },
  reference: { target: 'node:http pipe', goal: 3 },
});

export const paced = relay({
  name: 'paced',
  title: '64 events, 20 ms apart, 100 connections',
  per: 'event',
  load: { streams: 100, turnsEach: 4, question: '[chunks:64] [every:20] [bytes:200]', spreadMs: 500 },
  reference: { target: 'undici dispatch', goal: 1.3 },
});

export const saturated = relay({
  name: 'saturated',
  title: '64 events, 20 ms apart, 500 connections',
  per: 'event',
  load: { streams: 500, turnsEach: 4, question: '[chunks:64] [every:20] [bytes:200]', spreadMs: 1000 },
  reference: { target: 'undici dispatch', goal: 1.25 },
});

export const oneEvent = relay({
  name: 'one-event',
  title: 'turns of one event, 8 connections',
  per: 'turn',
  load: { streams: 8, turnsEach: 500, question: '[chunks:1] [every:0] [bytes:200]' },
  reference: { target: 'node:http pipe', goal: 2 },
});

export const unary = relay({
  name: 'unary',
  title: 'unary turns, 8 connections',
  per: 'turn',
  load: { streams: 8, turnsEach: 500, question: '[chunks:1] [every:0] [bytes:200]', isUnary: true },
  reference: { target: 'node:http pipe', goal: 2 },
});
