// What a turn costs after much has been said: the whole history goes to the model each time. The session has been used
// before by the same process: what that knows of it may help.

import { Connection } from '../http-client.ts';
import { cpuOf, type Started, startScript } from '../processes.ts';
import { median } from '../statistics.ts';
import type { Conversation, Target } from '../targets/target.ts';
import { type Bench, type Figure, type Figures, type Scenario, type Subject, sized, subjectsOf } from './scenario.ts';

/** On the wire to the model it is about 240 bytes. */
const TEXT = 'lorem ipsum dolor sit amet '.repeat(8).slice(0, 195);
const QUESTION = '[chunks:1] [every:0] [bytes:195]';
const KEPT = 'kept buffers';

/** Each turn makes the history longer: where it is short, there are few in one session. */
const SIZES = [
  { messages: 10, sessions: 250, turnsEach: 4 },
  { messages: 100, sessions: 100, turnsEach: 8 },
  { messages: 1000, sessions: 4, turnsEach: 50 },
  { messages: 5000, sessions: 2, turnsEach: 40 },
] as const;
const GOAL = { messages: 5000, times: 2 };

export const history: Scenario = {
  name: 'history',
  title: 'turns of one event after a history of 240-byte messages',
  figures: SIZES.flatMap(({ messages }) => figuresOf(messages)),
  subjects,
};

function figuresOf(messages: number): readonly Figure[] {
  const goal = messages === GOAL.messages ? { goal: GOAL.times } : {};
  return [
    { name: `ms-${messages}`, unit: `${messages} messages, ms per turn`, reference: { target: KEPT, ...goal } },
    { name: `cpu-${messages}`, unit: `${messages} messages, µs CPU per turn`, reference: { target: KEPT } },
    { name: `store-${messages}`, unit: `${messages} messages, µs CPU of Redis per turn` },
  ];
}

async function subjects(bench: Bench): Promise<readonly Subject[]> {
  const own = await subjectsOf(bench, (target) => (target.openAfter ? (share) => measure(target, share) : undefined));
  if (own.length === 0) return [];
  const kept = await startScript('./targets/kept-buffers.ts', [bench.modelPort, TEXT]);
  const reference = {
    name: KEPT,
    measure: (share: number) => measureKept(kept, share),
    [Symbol.asyncDispose]: () => kept.end(),
  };
  return [reference, ...own];
}

async function measure(target: Target, share: number): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const { messages, ...full } of SIZES) {
    // The first turn of each session is not counted, and brings it to its size.
    const texts = Array.from({ length: messages - 2 }, () => TEXT);
    const sessions = sized(full.sessions, share);
    const turnsEach = sized(full.turnsEach, share);
    const conversations = (await target.openAfter?.(sessions, texts)) ?? [];
    await converse(conversations, 1);
    const [cpuBefore, storeBefore] = [cpuOf(target.pids), cpuOf(target.storePids)];
    const times = await converse(conversations, turnsEach);
    figures[`ms-${messages}`] = median(times);
    figures[`cpu-${messages}`] = (cpuOf(target.pids) - cpuBefore) / times.length;
    if (target.storePids.length === 0) continue;
    figures[`store-${messages}`] = (cpuOf(target.storePids) - storeBefore) / times.length;
  }
  return figures;
}

/** One turn after the other, all on one connection: how long each of them took, in ms. */
async function converse(conversations: readonly Conversation[], turnsEach: number): Promise<readonly number[]> {
  const times: number[] = [];
  let connection: Connection | undefined;
  for (const conversation of conversations) {
    for (let turn = 0; turn < turnsEach; turn += 1) {
      const call = conversation.stream(QUESTION);
      if (connection?.isClosed) connection = undefined;
      connection ??= new Connection(call.port);
      const began = performance.now();
      const { status, events, text } = await connection.call(call, { keepsText: true });
      times.push(performance.now() - began);
      if (status !== 200 || events === 0) throw new Error(`${call.path}: ${status}\n${text}`);
    }
  }
  connection?.close();
  return times;
}

async function measureKept({ port, pid }: Started, share: number): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const { messages, sessions, turnsEach } of SIZES) {
    const turns = sized(sessions * turnsEach, share);
    const cpuBefore = cpuOf([pid]);
    const asked = new URLSearchParams({ messages: String(messages), turns: String(turns), question: QUESTION });
    const times = (await (await fetch(`http://127.0.0.1:${port}/?${asked}`)).json()) as number[];
    figures[`ms-${messages}`] = median(times);
    figures[`cpu-${messages}`] = (cpuOf([pid]) - cpuBefore) / turns;
  }
  return figures;
}
