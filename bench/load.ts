// Load on a target: conversations beside each other, each on a connection of its own, its turns one after the other.

import { type Answered, type Call, type CallOptions, Connection } from './http-client.ts';
import { cpuOf } from './processes.ts';
import type { Conversation, Target } from './targets/target.ts';

export interface Load {
  /** Conversations at a time. */
  readonly streams: number;
  readonly turnsEach: number;
  /** How the model is to answer. */
  readonly question: string;
  readonly isUnary?: boolean;
  readonly onBytes?: CallOptions['onBytes'];
  /** Conversations do not begin together, but within this time. */
  readonly spreadMs?: number;
}

export interface Carried {
  readonly turns: number;
  readonly events: number;
  readonly elapsedMs: number;
  /** Of the target's processes, in µs. */
  readonly cpuUs: number;
  readonly storeCpuUs: number;
}

/** So many turns are made in one conversation, then another one is begun: what a long history costs is a scenario of its own. */
const TURNS_OF_CONVERSATION = 4;

/** Fails when any turn is answered with anything but an answer. */
export async function carry(target: Target, load: Load): Promise<Carried> {
  const perLane = Math.ceil(load.turnsEach / TURNS_OF_CONVERSATION);
  const conversations = await target.open(load.streams * perLane);
  const lanes = Array.from({ length: load.streams }, (_, lane) =>
    conversations.slice(lane * perLane, (lane + 1) * perLane),
  );
  const began = performance.now();
  const [cpuBefore, storeBefore] = [cpuOf(target.pids), cpuOf(target.storePids)];
  const least = target.joinsEvents ? 1 : eventsOf(load);
  await Promise.all(lanes.map((lane) => converse(lane, load, least)));
  const turns = load.streams * load.turnsEach;
  return {
    turns,
    events: turns * eventsOf(load),
    elapsedMs: performance.now() - began,
    cpuUs: cpuOf(target.pids) - cpuBefore,
    storeCpuUs: cpuOf(target.storePids) - storeBefore,
  };
}

async function converse(lane: readonly Conversation[], load: Load, least: number): Promise<void> {
  const { turnsEach, spreadMs = 0, onBytes } = load;
  if (spreadMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * spreadMs));
  let connection: Connection | undefined;
  for (let turn = 0; turn < turnsEach; turn += 1) {
    const call = callOf(lane[Math.floor(turn / TURNS_OF_CONVERSATION)], load);
    if (connection?.isClosed) connection = undefined;
    connection ??= new Connection(call.port);
    check(call, await connection.call(call, onBytes ? { onBytes } : {}), least);
  }
  connection?.close();
}

function callOf(conversation: Conversation | undefined, { question, isUnary = false }: Load): Call {
  const call = isUnary ? conversation?.unary?.(question) : conversation?.stream(question);
  if (!call) throw new Error('the target has no answer in one piece');
  return call;
}

function eventsOf({ question, isUnary }: Load): number {
  return isUnary ? 1 : Number(/\[chunks:(\d+)\]/.exec(question)?.[1]);
}

/** What is said again at the end is counted twice; nobody may lose it. */
function check(call: Call, { status, events, head }: Answered, least: number): void {
  if (status === 200 && events >= least) return;
  throw new Error(`${call.method} ${call.path}: ${events} of ${least} events\n${head}`);
}
