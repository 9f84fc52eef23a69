// I5 and I6: whoever was told of a turn can read it, on any replica, and no read is ever taken back.

import type { MessageView, Operation, Violation } from './evidence.ts';
import { type HistoryRead, isAcknowledged, type SessionFacts } from './session-facts.ts';

export function checkReads(facts: SessionFacts): readonly Violation[] {
  return [...prefixes(facts), ...readYourAcks(facts), ...counts(facts), ...lost(facts), ...afterDelete(facts)];
}

/** Every history that was read is the beginning of the longest one. */
function prefixes({ sessionId, reads, longest }: SessionFacts): Violation[] {
  if (!longest) return [];
  return reads.flatMap((read) => {
    const at = read.messages.findIndex((message, index) => !isSame(message, longest.messages[index]));
    if (at === -1) return [];
    const message = `message ${at} of a history of ${read.messages.length}, read on replica ${read.replica}, is not in the later one of ${longest.messages.length}`;
    return [{ invariant: 'I6', message, sessionId, operations: [read.number, longest.number] }];
  });
}

function isSame(one: MessageView, other: MessageView | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function readYourAcks({ sessionId, sends, reads }: SessionFacts): Violation[] {
  const acks = sends.filter(isAcknowledged);
  return reads.flatMap((read) => {
    const ids = new Set(read.messages.map(({ id }) => id));
    return acks
      .filter(({ endedMs, turn }) => endedMs < read.beganMs && !turn?.messages?.every((id) => ids.has(id)))
      .map((send) => ({
        invariant: 'I5',
        message: `replica ${read.replica} did not show ${send.token} ${Math.round(read.beganMs - send.endedMs)} ms after it was acknowledged on replica ${send.replica}`,
        sessionId,
        operations: [send.number, read.number],
      }));
  });
}

/** A session names at least as many messages as were acknowledged before, and no more than there ever are. */
function counts({ sessionId, operations, reads, longest }: SessionFacts): Violation[] {
  return operations.flatMap((operation) => {
    if (operation.kind !== 'session' || operation.messageCount === undefined) return [];
    const { messageCount, beganMs, endedMs, number } = operation;
    const floor = longestOf(reads.filter((read) => read.endedMs < beganMs));
    const ceiling = longestOf(reads.filter((read) => read.beganMs > endedMs));
    const isLow = floor && messageCount < floor.messages.length;
    const isHigh =
      ceiling && messageCount > ceiling.messages.length && longest && messageCount > longest.messages.length;
    if (!isLow && !isHigh) return [];
    const shown = (isLow ? floor : longest)?.messages.length;
    const message = `getSession counts ${messageCount} messages, a history of ${shown} was read ${isLow ? 'before' : 'after'}`;
    return [{ invariant: 'I6', message, sessionId, operations: [number, (isLow ? floor : longest)?.number ?? number] }];
  });
}

function longestOf(reads: readonly HistoryRead[]): HistoryRead | undefined {
  return reads.reduce<HistoryRead | undefined>((best, read) => {
    return best && best.messages.length >= read.messages.length ? best : read;
  }, undefined);
}

/** A session that nobody has deleted is there. */
function lost({ sessionId, operations, deleteBeganMs }: SessionFacts): Violation[] {
  const created = operations.find(({ kind, outcome }) => kind === 'create' && outcome === 'ok');
  if (!created) return [];
  return operations
    .filter(
      (operation) => operation.beganMs > created.endedMs && operation.endedMs < deleteBeganMs && isGone(operation),
    )
    .map(({ number, kind }) => {
      const message = `${kind} did not find the session, which nobody has deleted`;
      return { invariant: 'I1', message, sessionId, operations: [created.number, number] };
    });
}

function isGone({ code }: Operation): boolean {
  return code === 'session_not_found';
}

function afterDelete({ sessionId, operations, deletedMs }: SessionFacts): Violation[] {
  return operations
    .filter(({ kind, outcome, beganMs }) => outcome === 'ok' && beganMs > deletedMs && kind !== 'delete')
    .map(({ kind, number }) => {
      const message = `${kind} succeeded after the session was deleted`;
      return { invariant: 'I5', message, sessionId, operations: [number] };
    });
}
