// The judge of a run: pure, from what was seen to what must not have been. test/chaos says what I1 to I16 are.

import { checkFollows } from './check-follows.ts';
import { checkHistory } from './check-history.ts';
import { checkPromises } from './check-promises.ts';
import { checkReads } from './check-reads.ts';
import { checkStreams } from './check-streams.ts';
import { checkModel, checkTurns } from './check-turns.ts';
import type { Evidence, KeyLeft, Operation, ProcessFact, Violation } from './evidence.ts';
import { factsBySession, type SessionFacts } from './session-facts.ts';

export function check(evidence: Evidence): readonly Violation[] {
  const sessions = factsBySession(evidence.operations);
  return [
    ...sessions.flatMap(checkHistory),
    ...sessions.flatMap(checkReads),
    ...sessions.flatMap(checkStreams),
    ...sessions.flatMap(checkTurns),
    ...sessions.flatMap((facts) => checkPromises(facts, evidence.disturbed)),
    ...sessions.flatMap((facts) => checkFollows(facts, evidence.disturbed)),
    ...checkModel(evidence.modelCalls, evidence.operations),
    ...checkKeys(evidence.keys, sessions),
    ...checkChannels(evidence.channels),
    ...evidence.processes.flatMap(checkProcess),
    ...unexpectedAnswers(evidence.operations),
  ];
}

/** I12: everything in the store ends by itself, and nothing is left of what was deleted. */
function checkKeys(keys: readonly KeyLeft[], sessions: readonly SessionFacts[]): Violation[] {
  const deleted = sessions.filter(({ deletedMs }) => Number.isFinite(deletedMs)).map(({ sessionId }) => sessionId);
  return keys.flatMap(({ name, ttlMs }) => {
    const sessionId = deleted.find((id) => name.includes(`:${id}}`));
    const messages = [
      ...(ttlMs < 0 ? [`the key ${name} has no end`] : []),
      ...(sessionId === undefined ? [] : [`the key ${name} is left of a deleted session`]),
    ];
    return messages.map((message) => ({
      invariant: 'I12',
      message,
      operations: [],
      ...(sessionId === undefined ? {} : { sessionId }),
    }));
  });
}

/** I11: who has gone is not told any more. */
function checkChannels(channels: readonly string[]): Violation[] {
  return channels.map((channel) => ({ invariant: 'I11', message: `${channel} is still watched`, operations: [] }));
}

/** Sockets that wait for their keep-alive to end, and connections to Redis nodes that were not known at the start. */
const FDS_MORE_MAX = 24;
/** Caches that have been filled, and code that has been compiled. RSS tells nothing: V8 and malloc keep what they once had. */
const LIVE_MORE_MIB_MAX = 40;

/** I11 and I16. */
function checkProcess({ replica, baseline, atEnd, alarms }: ProcessFact): Violation[] {
  const of = (invariant: string, message: string) => ({
    invariant,
    message: `replica ${replica}: ${message}`,
    operations: [],
  });
  const found: Violation[] = alarms.map((alarm) => of('I16', alarm));
  if (!baseline || !atEnd) return found;
  if (atEnd.fds > baseline.fds + FDS_MORE_MAX)
    found.push(of('I11', `${atEnd.fds} open files, ${baseline.fds} at its start`));
  if (atEnd.liveMiB > baseline.liveMiB + LIVE_MORE_MIB_MAX) {
    found.push(of('I11', `${atEnd.liveMiB} MiB are alive, ${baseline.liveMiB} MiB were at its start`));
  }
  return found;
}

/** No fault of the surroundings is an error of the service: 500 is one of its own. */
function unexpectedAnswers(operations: readonly Operation[]): Violation[] {
  return operations
    .filter(
      (operation) => operation.code === 'internal' || ('turn' in operation && operation.turn?.code === 'internal'),
    )
    .map(({ kind, number, sessionId, replica }) => {
      const message = `${kind} was answered with an internal error by replica ${replica}`;
      return { invariant: 'I14', message, sessionId, operations: [number] };
    });
}
