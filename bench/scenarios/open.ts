// Streams that are open and say little: what each of them takes of the memory of a process, and how many one process holds.
// Processes of its own, new ones each time: what memory a process has had before, it keeps.

import { setTimeout as delay } from 'node:timers/promises';
import { carry } from '../load.ts';
import { rssKiBOf } from '../processes.ts';
import { median } from '../statistics.ts';
import { SERVICE } from '../targets/service.ts';
import type { StartTarget } from '../targets/target.ts';
import { type Bench, type Figures, type Scenario, type Subject, sized } from './scenario.ts';
import { openStreams } from './slow-streams.ts';

const STREAMS = 5000;
const CROWD = 9000;
const EVERY_MS = 10_000;
const SMALL_EVERY_MS = 200;
/** Before the first look at the memory: what is loaded and compiled belongs to no stream. */
const WARM_UP = { streams: 20, turnsEach: 20, question: '[chunks:4] [every:0] [bytes:200]' };
const LOOKS = 5;
const LOOK_MS = 1000;

export const open: Scenario = {
  name: 'open',
  title: 'open streams of an event every 10 s, 5,000 in one process',
  figures: [
    { name: 'kib', unit: 'KiB of memory per stream', reference: { target: 'undici dispatch', goal: 1.2 } },
    { name: 'base', unit: 'MiB of memory without them' },
  ],
  startsFresh: true,
  roundsMax: 2,
  subjects: async (bench) => {
    const targets = await bench.targets();
    return Object.entries(bench.starters).flatMap(([key, start]): Subject[] => {
      const target = targets.get(key);
      if (!target || target.pids.length === 0) return [];
      return [
        { name: target.name, measure: (share) => measureAll(bench.modelPort, start, sized(STREAMS, share), share) },
      ];
    });
  },
};

export const crowd: Scenario = {
  name: 'crowd',
  title: 'open streams of an event every 10 s, 9,000 in one process',
  figures: [
    { name: 'open', unit: 'streams that had their first event and stayed open', atLeast: CROWD },
    { name: 'kib', unit: 'KiB of memory per stream' },
  ],
  startsFresh: true,
  roundsMax: 1,
  subjects: async ({ starters, modelPort }: Bench) => {
    const start = starters.service;
    if (!start) return [];
    return [{ name: SERVICE, measure: (share) => measure(modelPort, start, sized(CROWD, share), share) }];
  },
};

async function measure(modelPort: number, start: StartTarget, count: number, share: number): Promise<Figures> {
  await using target = await start(modelPort);
  const everyMs = share === 1 ? EVERY_MS : SMALL_EVERY_MS;
  const conversations = await target.open(count);
  await carry(target, { ...WARM_UP, turnsEach: sized(WARM_UP.turnsEach, share) });
  const before = await memoryOf(target.pids, share);
  const streams = await openStreams(conversations, `[chunks:1000] [ready:1] [every:${everyMs}] [bytes:200]`);
  try {
    // What they take when they have been open for a while: each has had another event.
    await delay(everyMs * 1.1);
    const after = await memoryOf(target.pids, share);
    if (streams.failure !== undefined) process.stderr.write(`${target.name}: ${streams.failure}\n`);
    return { kib: (after - before) / count, base: before / 1024, open: streams.open };
  } finally {
    streams.close();
  }
}

/** What fewer streams take is no figure of so many. */
async function measureAll(modelPort: number, start: StartTarget, count: number, share: number): Promise<Figures> {
  const figures = await measure(modelPort, start, count, share);
  if (figures.open !== count) throw new Error(`${figures.open} of ${count} streams have stayed open`);
  return figures;
}

async function memoryOf(pids: readonly number[], share: number): Promise<number> {
  const seen: number[] = [];
  while (seen.length < LOOKS) {
    seen.push(rssKiBOf(pids));
    await delay((LOOK_MS / LOOKS) * share);
  }
  return median(seen);
}
