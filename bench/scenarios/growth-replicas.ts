// Whether replicas cost each other anything: the same load on one, two and four of them over one Redis. All of them share
// the machine, so what counts is their processor time and not how much they get done.

import { carry } from '../load.ts';
import { together } from '../targets/replicas.ts';
import type { Target } from '../targets/target.ts';
import { type Figures, type Scenario, sized, sizedLittle } from './scenario.ts';

const COUNTS = [1, 2, 4] as const;
const PACED = { streams: 100, turnsEach: 3, spreadMs: 500, events: 64 };
const TURNS = { streams: 8, turnsEach: 150, question: '[chunks:1] [every:0] [bytes:200]' };

export const replicas: Scenario = {
  name: 'replicas',
  title: 'replicas over one Redis',
  isGrowth: true,
  roundsMax: 2,
  figures: [
    { name: 'event', unit: 'µs CPU of all per event, 20 ms apart, 100 connections' },
    { name: 'event-store', unit: 'µs CPU of Redis per event' },
    { name: 'turn', unit: 'µs CPU of all per turn of one event, 8 connections' },
    { name: 'turn-store', unit: 'µs CPU of Redis per turn of one event' },
  ],
  subjects: async (bench) => {
    const all = (await bench.replicas())?.replicas;
    if (!all) return [];
    // The more of them there are, the less each has to do in a round: all are to be equally warm before the first.
    for (const one of all) await carry(one, { ...TURNS, turnsEach: sized(TURNS.turnsEach, bench.share) });
    return COUNTS.map((count) => {
      const name = count === 1 ? '1 replica' : `${count} replicas`;
      const target = together(name, all.slice(0, count));
      return { name, measure: (share) => measure(target, share) };
    });
  },
};

async function measure(target: Target, share: number): Promise<Figures> {
  const paced = await carry(target, {
    streams: sizedLittle(PACED.streams, share),
    turnsEach: sized(PACED.turnsEach, share),
    spreadMs: PACED.spreadMs * share,
    question: `[chunks:${sizedLittle(PACED.events, share)}] [every:20] [bytes:200]`,
  });
  const turns = await carry(target, { ...TURNS, turnsEach: sized(TURNS.turnsEach, share) });
  return {
    event: paced.cpuUs / paced.events,
    'event-store': paced.storeCpuUs / paced.events,
    turn: turns.cpuUs / turns.turns,
    'turn-store': turns.storeCpuUs / turns.turns,
  };
}
