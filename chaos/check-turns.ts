// I3, I8 and I9: the state a turn ended in is told the same way by everybody and for ever; versions grow by one; one
// idempotency key is one turn; and when the faults are over, nothing still runs and every session is usable.

import type { ModelCall, Operation, TurnView, Violation } from './evidence.ts';
import { isToldOfDeletion, type SessionFacts } from './session-facts.ts';

export function checkTurns(facts: SessionFacts): readonly Violation[] {
  return [...states(facts), ...unfound(facts), ...versions(facts), ...keys(facts), ...usable(facts)];
}

/** At most the first call and two retries before the model's first byte, whatever a client repeats. */
const CALLS_MAX = 3;

export function checkModel(calls: readonly ModelCall[], operations: readonly Operation[]): readonly Violation[] {
  const byToken = Map.groupBy(calls, ({ token }) => token);
  const found: Violation[] = [];
  for (const [token, own] of byToken) {
    const sends = operations.filter((operation) => operation.kind === 'send' && operation.token === token);
    const numbers = sends.map(({ number }) => number);
    const about = { operations: numbers, ...(sends[0] ? { sessionId: sends[0].sessionId } : {}) };
    if (own.length > CALLS_MAX) {
      found.push({ invariant: 'I9', message: `the model was asked ${own.length} times for ${token}`, ...about });
    }
    for (const { refusal } of own) {
      if (refusal !== undefined) found.push({ invariant: 'I4', message: `the model refuses: ${refusal}`, ...about });
    }
  }
  return found;
}

const OPEN: readonly string[] = ['RUNNING', 'QUEUED'];

interface Told {
  readonly turn: TurnView;
  readonly operation: Operation;
}

function told(facts: SessionFacts): readonly Told[] {
  return facts.operations.flatMap((operation) => {
    const turn = 'turn' in operation ? operation.turn : undefined;
    const counts = operation.outcome !== 'info' && !isToldOfDeletion(facts, operation);
    return turn && counts ? [{ turn, operation }] : [];
  });
}

function states(facts: SessionFacts): Violation[] {
  const byTurn = Map.groupBy(told(facts), ({ turn }) => turn.turnId);
  const found: Violation[] = [];
  for (const [turnId, all] of byTurn) {
    const ended = all.filter(({ turn }) => !OPEN.includes(turn.state));
    const different = new Set(
      ended.map(({ turn }) => `${turn.state} ${turn.code ?? ''} ${turn.messages?.join() ?? ''}`),
    );
    const operations = all.map(({ operation }) => operation.number);
    if (different.size > 1) {
      const message = `turn ${turnId} ended as ${[...different].join(' and as ')}`;
      found.push({ invariant: 'I8', message, sessionId: facts.sessionId, operations });
    }
    const end = ended[0];
    const reopened =
      end && all.find(({ turn, operation }) => OPEN.includes(turn.state) && operation.beganMs > end.operation.endedMs);
    if (reopened) {
      const message = `turn ${turnId} was ${end.turn.state}, and later ${reopened.turn.state}`;
      found.push({ invariant: 'I8', message, sessionId: facts.sessionId, operations });
    }
  }
  return found;
}

/**
 * A turn that somebody was told of is there for everybody; but for one whose send was refused since its claim was not
 * answered: it may be seen until the claim is taken back, and whoever waits for it then is told that it was cancelled.
 */
function unfound(facts: SessionFacts): Violation[] {
  const known = new Map<string, Operation>();
  const takenBack = new Set(facts.sends.filter(({ code }) => code === 'store_unavailable').map(({ wanted }) => wanted));
  for (const { turn, operation } of told(facts)) {
    const isTakenBack = takenBack.has(turn.turnId) && turn.messages === undefined;
    if (isTakenBack && [...OPEN, 'CANCELLED'].includes(turn.state)) continue;
    const earlier = known.get(turn.turnId);
    if (!earlier || operation.endedMs < earlier.endedMs) known.set(turn.turnId, operation);
  }
  return facts.operations.flatMap((operation) => {
    if (operation.code !== 'turn_not_found' || !('turnId' in operation)) return [];
    const earlier = known.get(operation.turnId ?? '');
    if (!earlier || earlier.endedMs > operation.beganMs) return [];
    const message = `turn ${operation.turnId} was told of, and is not found`;
    return [{ invariant: 'I5', message, sessionId: facts.sessionId, operations: [earlier.number, operation.number] }];
  });
}

/** One for the creation, one for every turn in the history, one for every change of the configuration. */
function versions({ sessionId, operations, sends, final }: SessionFacts): Violation[] {
  const found: Violation[] = [];
  const patches = operations.filter(({ kind }) => kind === 'patch');
  // A change answers with the session as it is then, which may have gone on already.
  const acks = sends.filter(({ turn }) => turn?.messages !== undefined && turn.sessionVersion !== undefined);
  for (const [version, same] of Map.groupBy(acks, ({ turn }) => turn?.sessionVersion)) {
    if (new Set(same.map(({ turn }) => turn?.turnId)).size < 2) continue;
    const message = `${same.length} turns were given the version ${version}`;
    found.push({ invariant: 'I3', message, sessionId, operations: same.map(({ number }) => number) });
  }
  const last = operations.findLast((operation) => operation.kind === 'session' && operation.isFinal === true);
  if (!final || last?.kind !== 'session' || last.version === undefined) return found;
  const base = 1 + final.messages.length / 2;
  const atLeast = base + patches.filter(({ outcome }) => outcome === 'ok').length;
  const atMost = atLeast + patches.filter(({ outcome }) => outcome === 'info').length;
  if (last.version < atLeast || last.version > atMost) {
    const range = atLeast === atMost ? `${atLeast}` : `${atLeast} to ${atMost}`;
    const message = `the version is ${last.version}; ${final.messages.length / 2} turns and ${patches.length} changes make ${range}`;
    found.push({
      invariant: 'I3',
      message,
      sessionId,
      operations: [last.number, ...patches.map(({ number }) => number)],
    });
  }
  return found;
}

function keys({ sessionId, sends }: SessionFacts): Violation[] {
  const byKey = Map.groupBy(
    sends.filter(({ key }) => key !== undefined),
    ({ key }) => key,
  );
  const found: Violation[] = [];
  for (const [key, all] of byKey) {
    const operations = all.map(({ number }) => number);
    const same = all.filter(({ hasOtherBody }) => hasOtherBody !== true);
    const turnIds = new Set(same.flatMap(({ turn }) => (turn ? [turn.turnId] : [])));
    if (turnIds.size > 1) {
      found.push({
        invariant: 'I9',
        message: `the key ${key} is ${turnIds.size} turns: ${[...turnIds].join()}`,
        sessionId,
        operations,
      });
    }
    for (const { hasOtherBody, turn, number } of all) {
      if (hasOtherBody !== true || turn === undefined) continue;
      const message = `the key ${key} was taken for another body`;
      found.push({ invariant: 'I9', message, sessionId, operations: [number] });
    }
  }
  return found;
}

function usable({ sessionId, operations, sends }: SessionFacts): Violation[] {
  const running = operations.filter((operation) => {
    return operation.kind === 'turn' && operation.isFinal === true && OPEN.includes(operation.turn?.state ?? '');
  });
  const broken = sends.filter((send) => send.isProbe === true && send.turn?.state !== 'COMMITTED');
  return [
    ...running.map(({ number }) => ({
      invariant: 'I3',
      message: 'a turn still runs after all is over',
      sessionId,
      operations: [number],
    })),
    ...broken.map(({ number, status, code }) => ({
      invariant: 'I2',
      message: `the session is not usable after all is over: ${status} ${code ?? ''}`,
      sessionId,
      operations: [number],
    })),
  ];
}
