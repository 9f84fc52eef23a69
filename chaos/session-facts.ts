// The operations of one session, sorted by what the checker asks: its longest and its last history, whether anybody has
// deleted it, what was acknowledged.

import { isSend, type MessageView, type Operation, type SendOperation } from './evidence.ts';

export type HistoryRead = Extract<Operation, { kind: 'history' }> & { readonly messages: readonly MessageView[] };

export interface SessionFacts {
  readonly sessionId: string;
  readonly operations: readonly Operation[];
  readonly sends: readonly SendOperation[];
  readonly reads: readonly HistoryRead[];
  /** The longest history that anybody has read; the final one when the session is still there. */
  readonly longest: HistoryRead | undefined;
  readonly final: HistoryRead | undefined;
  /** The first attempt to delete it, whatever came of it. */
  readonly deleteBeganMs: number;
  readonly deletedMs: number;
}

export function factsBySession(operations: readonly Operation[]): readonly SessionFacts[] {
  const bySession = Map.groupBy(operations, ({ sessionId }) => sessionId);
  return [...bySession].map(([sessionId, own]) => factsOf(sessionId, own));
}

function factsOf(sessionId: string, operations: readonly Operation[]): SessionFacts {
  const reads = operations.filter(isHistoryRead);
  const deletes = operations.filter(({ kind }) => kind === 'delete');
  // One that was deleted in a later round has none.
  const final = deletes.length === 0 ? reads.findLast(({ isFinal }) => isFinal === true) : undefined;
  const deleted = deletes.filter(({ outcome }) => outcome === 'ok');
  return {
    sessionId,
    operations,
    sends: operations.filter(isSend),
    reads,
    final,
    longest: final ?? reads.reduce<HistoryRead | undefined>(longer, undefined),
    deleteBeganMs: Math.min(Number.POSITIVE_INFINITY, ...deletes.map(({ beganMs }) => beganMs)),
    deletedMs: Math.min(Number.POSITIVE_INFINITY, ...deleted.map(({ endedMs }) => endedMs)),
  };
}

function isHistoryRead(operation: Operation): operation is HistoryRead {
  return operation.kind === 'history' && operation.messages !== undefined;
}

function longer(one: HistoryRead | undefined, other: HistoryRead): HistoryRead {
  return one && one.messages.length >= other.messages.length ? one : other;
}

/** A turn that its client was told to be in the history. */
export function isAcknowledged({ turn }: SendOperation): boolean {
  return turn !== undefined && turn.messages !== undefined && turn.messages.length > 0;
}

/** A question that must not be in the history: refused, or ended without messages. */
export function isAbsent(send: SendOperation): boolean {
  return send.outcome === 'fail' || (send.outcome === 'ok' && !isAcknowledged(send));
}

/**
 * Who was cut off when the turn ended, and hears of nothing but the deletion that came after it, is told that it was
 * cancelled: nobody can tell any more how it had ended.
 */
export function isToldOfDeletion({ deleteBeganMs }: SessionFacts, operation: Operation): boolean {
  const turn = 'turn' in operation ? operation.turn : undefined;
  return turn?.state === 'CANCELLED' && operation.endedMs > deleteBeganMs;
}
