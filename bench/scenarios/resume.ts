// A storm: all who look at turns lose their connections and come back at once, each with the id of the first event it has
// seen; to the replica that produces the turns, and to another one, which knows them from Redis alone.

import { cpuOf } from '../processes.ts';
import { median } from '../statistics.ts';
import { SERVICE } from '../targets/service.ts';
import type { Target } from '../targets/target.ts';
import { type Figures, type Scenario, sized } from './scenario.ts';
import { type Begun, beginTurn, cancelTurns, portOf, view } from './viewers.ts';

const VIEWERS = 500;
/** How often they come back in a round. */
const STORMS = 5;
const EVENTS = 32;
/** A running turn has said so much at once, and says nothing more until it is cancelled. */
const TURNS = {
  running: `[chunks:${EVENTS + 1}] [ready:${EVENTS}] [every:600000] [bytes:200]`,
  finished: `[chunks:${EVENTS}] [every:0] [bytes:200]`,
};
const STATES = ['running', 'finished'] as const;
const PLACES = ['producer', 'other'] as const;
const WORDS = { producer: 'the replica that produces them', other: 'another replica' };

export const resume: Scenario = {
  name: 'resume',
  title: `${VIEWERS} viewers come back at once, ${EVENTS} events behind`,
  figures: STATES.flatMap((state) =>
    PLACES.flatMap((place) => [
      { name: `${state}-${place}-ms`, unit: `${state} turns, ${WORDS[place]}: ms until all have caught up` },
      { name: `${state}-${place}-cpu`, unit: `${state} turns, ${WORDS[place]}: µs CPU per viewer` },
    ]),
  ),
  subjects: async (bench) => {
    const replicas = (await bench.replicas())?.replicas;
    const [producer, other] = replicas ?? [];
    if (!producer || !other) return [];
    return [{ name: SERVICE, measure: (share) => measure({ producer, other }, share) }];
  },
};

type Places = Readonly<Record<(typeof PLACES)[number], Target>>;

async function measure(places: Places, share: number): Promise<Figures> {
  const figures: Record<string, number> = {};
  const pids = PLACES.flatMap((place) => places[place].pids);
  for (const state of STATES) {
    const turns = await begin(places.producer, state, sized(VIEWERS, share));
    for (const place of PLACES) {
      const port = await portOf(places[place]);
      const times: number[] = [];
      const before = cpuOf(pids);
      while (times.length < sized(STORMS, share)) times.push(await storm(turns, port));
      figures[`${state}-${place}-ms`] = median(times);
      figures[`${state}-${place}-cpu`] = (cpuOf(pids) - before) / (times.length * turns.length);
    }
    if (state === 'running') await cancelTurns(turns, await portOf(places.producer));
  }
  return figures;
}

async function begin(producer: Target, state: (typeof STATES)[number], count: number): Promise<readonly Begun[]> {
  const conversations = await producer.open(count);
  const turns = await Promise.all(conversations.map((conversation) => beginTurn(conversation, TURNS[state])));
  if (state === 'finished') await Promise.all(turns.map(({ ended }) => ended));
  for (const turn of turns) turn.leave();
  return turns;
}

/** How long it takes until the last one has all that there is, in ms. */
async function storm(turns: readonly Begun[], port: number): Promise<number> {
  const began = performance.now();
  await Promise.all(turns.map((turn) => view(turn, port, EVENTS - 1, turn.firstEventId)));
  return performance.now() - began;
}
