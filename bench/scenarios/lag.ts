// How much later things come than they would without anything between: the first event of a turn, and each one after it.
// Always in pairs, one direct call beside one of the target, so that what slows the machine for a moment slows both.
// `direct` beside itself says how much of it is noise.

import { Connection } from '../http-client.ts';
import { percentile } from '../statistics.ts';
import { direct } from '../targets/references.ts';
import type { Conversation, Target } from '../targets/target.ts';
import { type Figures, type Scenario, sized, sizedLittle, subjectsOf } from './scenario.ts';

/** Calls of which the first event is looked at. */
const FIRST_PAIRS = 500;
const TURNS_OF_CONVERSATION = 4;
const ONE_EVENT = '[chunks:1] [every:0] [bytes:200]';

/** Streams beside each other of which each event is looked at, so many of the target and so many without it. */
const LANES = 10;
const LANE_TURNS = 2;
const EVENTS = 64;
const EVERY_MS = 20;

export const lag: Scenario = {
  name: 'lag',
  title: 'paired with direct calls',
  figures: [
    { name: 'first', unit: 'time to first event, p50 ms' },
    {
      name: 'first-p50',
      unit: 'time to first event, added over direct, p50 ms',
      reference: { target: 'undici dispatch', goal: 1.5 },
    },
    { name: 'first-p99', unit: 'time to first event, added over direct, p99 ms' },
    {
      name: 'event-p50',
      unit: 'lag of each event, added over direct, p50 ms',
      reference: { target: 'undici dispatch' },
    },
    {
      name: 'event-p99',
      unit: 'lag of each event, added over direct, p99 ms',
      reference: { target: 'undici dispatch' },
    },
  ],
  subjects: async (bench) => {
    const without = await direct(bench.modelPort);
    return subjectsOf(bench, (target) => (share) => measure(without, target, share));
  },
};

async function measure(without: Target, target: Target, share: number): Promise<Figures> {
  const first = await firstEvents(without, target, sized(FIRST_PAIRS, share, 8));
  const events = await eachEvent(without, target, sized(LANE_TURNS, share), sizedLittle(EVENTS, share));
  const added = first.map(({ direct, through }) => through - direct);
  return {
    first: percentile(
      first.map(({ through }) => through),
      50,
    ),
    'first-p50': percentile(added, 50),
    'first-p99': percentile(added, 99),
    'event-p50': percentile(events, 50),
    'event-p99': percentile(events, 99),
  };
}

async function firstEvents(without: Target, target: Target, pairs: number) {
  const conversations = Math.ceil(pairs / TURNS_OF_CONVERSATION);
  const [one, other] = [await caller(without, conversations), await caller(target, conversations)];
  const times: { readonly direct: number; readonly through: number }[] = [];
  for (let at = 0; at < pairs; at += 1) {
    // Neither is always the second one.
    if (at % 2 === 0) {
      const direct = await one.firstEventMs(at);
      times.push({ direct, through: await other.firstEventMs(at) });
    } else {
      const through = await other.firstEventMs(at);
      times.push({ direct: await one.firstEventMs(at), through });
    }
  }
  one.close();
  other.close();
  return times;
}

/** Calls the target on one connection, as long as that stays. */
async function caller(target: Target, count: number) {
  const conversations = await target.open(count);
  let connection: Connection | undefined;
  return {
    close: () => connection?.close(),
    async firstEventMs(at: number): Promise<number> {
      const call = conversations[Math.floor(at / TURNS_OF_CONVERSATION)]?.stream(ONE_EVENT);
      if (!call) throw new Error('there are fewer conversations than calls');
      if (connection?.isClosed) connection = undefined;
      connection ??= new Connection(call.port);
      const began = performance.now();
      let first: number | undefined;
      const { events } = await connection.call(call, {
        onBytes: (bytes) => {
          if (first === undefined && bytes.includes('@')) first = performance.now() - began;
        },
      });
      if (first === undefined) throw new Error(`${target.name} answered with ${events} events`);
      return first;
    },
  };
}

/** What the target adds to the lag of each event. */
async function eachEvent(without: Target, target: Target, turns: number, events: number): Promise<readonly number[]> {
  const [one, other] = [await without.open(LANES * turns), await target.open(LANES * turns)];
  const question = `[chunks:${events}] [every:${EVERY_MS}] [bytes:200]`;
  const lane = async (at: number): Promise<readonly number[]> => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * EVERY_MS));
    const added: number[] = [];
    for (let turn = at * turns; turn < (at + 1) * turns; turn += 1) {
      const [direct, through] = await Promise.all([lags(one[turn], question), lags(other[turn], question)]);
      if (through.length === 0) throw new Error(`${target.name} answered without an event`);
      // A target may join events; what comes beyond those of the model is said again.
      added.push(...through.slice(0, direct.length).map((late, index) => late - (direct[index] ?? Number.NaN)));
    }
    return added;
  };
  return (await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)))).flat();
}

/** A piece of text of the model begins with when it was written. */
const WRITTEN = /@(\d+(?:\.\d+)?) /g;

async function lags(conversation: Conversation | undefined, question: string): Promise<readonly number[]> {
  const call = conversation?.stream(question);
  if (!call) throw new Error('there are fewer conversations than calls');
  const connection = new Connection(call.port);
  const late: number[] = [];
  let rest = '';
  await connection.call(call, {
    onBytes: (bytes, atMs) => {
      const text = rest + bytes.toString('latin1');
      for (const [, written] of text.matchAll(WRITTEN)) late.push(atMs - Number(written));
      // The time may be cut in two.
      const begun = text.lastIndexOf('@');
      rest = begun === -1 || text.includes(' ', begun) ? '' : text.slice(begun);
    },
  });
  connection.close();
  return late;
}
