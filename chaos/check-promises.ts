// What single answers promise: a refused send has left no turn, a cancel is answered when its turn has settled, who waits in
// line comes before who came later, and a producer is lost only when something was done to it or to its way to the store.

import { canCostALease, isDisturbed } from './disturbed.ts';
import { type Disturbed, isSend, type Operation, type SendOperation, type Violation } from './evidence.ts';
import type { SessionFacts } from './session-facts.ts';

export function checkPromises(facts: SessionFacts, disturbed: readonly Disturbed[]): readonly Violation[] {
  return [
    ...refusedTurns(facts),
    ...createdTwice(facts),
    ...settledLate(facts, disturbed),
    ...overtaken(facts),
    ...lostProducers(facts, disturbed),
  ];
}

/** Refused before a turn began. */
const REFUSED: readonly string[] = ['turn_in_progress', 'queue_full'];

function refusedTurns({ sessionId, sends, operations }: SessionFacts): Violation[] {
  const byTurn = Map.groupBy(
    sends.filter(({ wanted }) => wanted !== undefined),
    ({ wanted }) => wanted,
  );
  return [...byTurn].flatMap(([turnId, own]) => {
    if (!own.every(({ code = '' }) => REFUSED.includes(code))) return [];
    const told = operations.find((operation) => 'turn' in operation && operation.turn?.turnId === turnId);
    if (!told) return [];
    const message = `the turn ${turnId} was refused, and there is one`;
    const numbers = [...own.map(({ number }) => number), told.number];
    return [{ invariant: 'I2', message, sessionId, operations: numbers }];
  });
}

/** Ids are made for one run and one session. */
function createdTwice({ sessionId, operations }: SessionFacts): Violation[] {
  const first = operations.find(({ kind }) => kind === 'create');
  if (first?.code !== 'session_exists') return [];
  return [{ invariant: 'I9', message: 'a new session exists already', sessionId, operations: [first.number] }];
}

/** Published for cancelTurn; less the time of the way. */
const SETTLE_MS = 19_000;

function settledLate({ sessionId, operations }: SessionFacts, disturbed: readonly Disturbed[]): Violation[] {
  return operations.flatMap((operation) => {
    if (operation.kind !== 'cancel' || operation.status !== 202) return [];
    const { number, turnId, turn, beganMs, endedMs } = operation;
    const isExcused = isDisturbed(disturbed, { fromMs: beganMs, toMs: endedMs }, canCostALease);
    if (endedMs - beganMs > SETTLE_MS || isExcused) return [];
    const ms = Math.round(endedMs - beganMs);
    const message = `cancelTurn answers after ${ms} ms that ${turnId} is ${turn?.state}`;
    return [{ invariant: 'I14', message, sessionId, operations: [number] }];
  });
}

interface InLine {
  readonly turnId: string;
  readonly epoch: number;
  readonly sentMs: number;
  readonly queuedMs: number | undefined;
  readonly numbers: readonly number[];
}

/** Who was told to wait begins before whoever is sent later, and does not interrupt. */
function overtaken({ sessionId, sends }: SessionFacts): Violation[] {
  const byTurn = Map.groupBy(
    sends.filter(({ isInterrupting }) => !isInterrupting),
    ({ turnId }) => turnId ?? '',
  );
  const line = [...byTurn].flatMap(([turnId, own]) => placeInLine(turnId, own));
  return line.flatMap((first) => {
    const later = line.find(({ sentMs, epoch }) => sentMs > (first.queuedMs ?? Infinity) && epoch < first.epoch);
    if (!later) return [];
    const message = `${later.turnId} was sent when ${first.turnId} stood in line, and began before it`;
    return [{ invariant: 'I3', message, sessionId, operations: [...first.numbers, ...later.numbers] }];
  });
}

function placeInLine(turnId: string, sends: readonly SendOperation[]): InLine[] {
  const frames = sends.flatMap(({ segments }) => segments.flatMap((segment) => segment.frames));
  const epoch = frames.find(({ event }) => event === 'turn.started')?.id.split('-')[0];
  if (epoch === undefined || epoch === '0') return [];
  const queuedMs = frames.find(({ event }) => event === 'turn.queued')?.atMs;
  const sentMs = Math.min(...sends.map(({ beganMs }) => beganMs));
  return [{ turnId, epoch: Number(epoch), sentMs, queuedMs, numbers: sends.map(({ number }) => number) }];
}

function lostProducers({ sessionId, operations }: SessionFacts, disturbed: readonly Disturbed[]): Violation[] {
  const lost = new Map<string, Operation>();
  for (const operation of operations) {
    const turn = 'turn' in operation ? operation.turn : undefined;
    if (turn?.code === 'producer_lost' && !lost.has(turn.turnId)) lost.set(turn.turnId, operation);
  }
  return [...lost].flatMap(([turnId, told]) => {
    const sends = operations.filter(isSend).filter((send) => (send.turnId ?? send.wanted) === turnId);
    const fromMs = Math.min(told.beganMs, ...sends.map(({ beganMs }) => beganMs));
    if (isDisturbed(disturbed, { fromMs, toMs: told.endedMs }, canCostALease)) return [];
    const message = `the producer of ${turnId} was lost, and nothing had been done to it`;
    return [{ invariant: 'I3', message, sessionId, operations: [...sends.map(({ number }) => number), told.number] }];
  });
}
