// What another viewer of the same turn costs: at the replica that produces it, and at another one.

import { cpuOf } from '../processes.ts';
import type { Target } from '../targets/target.ts';
import { type Figures, type Scenario, sized, sizedLittle } from './scenario.ts';
import { beginTurn, portOf, view } from './viewers.ts';

/** Of all turns together: as much is delivered in each of the columns. */
const VIEWERS = 200;
const TURNS_EACH = 2;
const EVENTS = 64;
const VIEWERS_OF_TURN = [1, 10, 100] as const;

export const viewers: Scenario = {
  name: 'viewers',
  title: `viewers of a turn, ${VIEWERS} of all turns; 64 events, 20 ms apart`,
  isGrowth: true,
  roundsMax: 2,
  figures: [
    { name: 'producer', unit: 'µs CPU per delivered event, all at the replica that produces' },
    { name: 'other', unit: 'µs CPU of both per delivered event, all but the first at another replica' },
  ],
  subjects: async (bench) => {
    const [producer, other] = (await bench.replicas())?.replicas ?? [];
    if (!producer || !other) return [];
    return VIEWERS_OF_TURN.map((each) => ({
      name: each === 1 ? '1 viewer' : `${each} viewers`,
      measure: async (share): Promise<Figures> => ({
        producer: await cpuPerEvent(producer, producer, each, share),
        // The first viewer is where the turn is.
        ...(each === 1 ? {} : { other: await cpuPerEvent(producer, other, each, share) }),
      }),
    }));
  },
};

async function cpuPerEvent(producer: Target, other: Target, each: number, share: number): Promise<number> {
  const turns = sized(VIEWERS / each, share);
  const rounds = sized(TURNS_EACH, share);
  const events = sizedLittle(EVENTS, share);
  const question = `[chunks:${events}] [every:20] [bytes:200]`;
  const port = await portOf(other);
  const conversations = await producer.open(turns);
  const pids = [...new Set([...producer.pids, ...other.pids])];
  const before = cpuOf(pids);
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(
      conversations.map(async (conversation) => {
        const turn = await beginTurn(conversation, question);
        await Promise.all([turn.ended, ...Array.from({ length: each - 1 }, () => view(turn, port, events))]);
        turn.leave();
      }),
    );
  }
  return (cpuOf(pids) - before) / (turns * rounds * each * events);
}
