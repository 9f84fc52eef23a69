// I7 and I8 for those who watch a session and not one turn: every turn that they see begins with its first event, goes on
// without a gap, and has come to its end before the next one begins. And an event is the same for everybody.

import { canCostALease, isDisturbed } from './disturbed.ts';
import type { Disturbed, FollowOperation, Frame, Operation, Violation } from './evidence.ts';
import { isHearsay, isTerminal } from './frames.ts';
import type { SessionFacts } from './session-facts.ts';

export function checkFollows(facts: SessionFacts, disturbed: readonly Disturbed[]): readonly Violation[] {
  return [
    ...facts.operations.filter(isFollow).flatMap((follow) => oneFollow(follow, disturbed)),
    ...sameEverywhere(facts),
  ];
}

function isFollow(operation: Operation): operation is FollowOperation {
  return operation.kind === 'follow';
}

interface Place {
  readonly epoch: number;
  readonly seq: number;
}

function placeOf({ id }: Frame): Place {
  const [epoch = Number.NaN, seq = Number.NaN] = id.split('-').map(Number);
  return { epoch, seq };
}

/** The number of a reaper's event, beyond any that the lost producer can have shown. */
const REAPER_SEQ = 2 ** 32 - 1;

function oneFollow(follow: FollowOperation, disturbed: readonly Disturbed[]): Violation[] {
  const { sessionId, number, segments } = follow;
  const frames = segments.flatMap((segment) => segment.frames);
  const found: Violation[] = segments
    .filter(({ status }) => status !== 200)
    .map(({ status, after, replica }) => {
      const message = `replica ${replica} answers ${status} to who follows the session after ${after ?? 'nothing'}`;
      return { invariant: 'I7', message, sessionId, operations: [number] };
    });
  for (const [index, frame] of frames.entries()) {
    const before = frames[index - 1];
    const message = before ? wrongNext(before, frame, disturbed) : wrongFirst(frame);
    if (message) found.push({ invariant: 'I7', message, sessionId, operations: [number] });
  }
  return found;
}

/** A producer that was lost before it could store anything leaves its end alone. */
function wrongFirst(frame: Frame): string | undefined {
  const { seq } = placeOf(frame);
  if (seq === 1 || seq === REAPER_SEQ) return undefined;
  return `who follows the session sees a turn begin with ${frame.id} ${frame.event}`;
}

function wrongNext(before: Frame, frame: Frame, disturbed: readonly Disturbed[]): string | undefined {
  const [earlier, later] = [placeOf(before), placeOf(frame)];
  const what = `${before.id} ${before.event} is followed by ${frame.id} ${frame.event}`;
  if (later.epoch < earlier.epoch) return what;
  if (later.epoch === earlier.epoch) {
    const isNext = later.seq === earlier.seq + 1 || (later.seq === REAPER_SEQ && earlier.seq < later.seq);
    return isNext && !isTerminal(before) ? undefined : what;
  }
  const wrong = wrongFirst(frame);
  if (wrong || isTerminal(before)) return wrong;
  // The log keeps two turns: who was cut off from it while others began two more has missed the rest.
  const isExcused = isDisturbed(disturbed, { fromMs: before.atMs ?? 0, toMs: frame.atMs ?? 0 }, canCostALease);
  return isExcused ? undefined : `${what}, without the end of its turn`;
}

/** Whoever sees an event sees the same bytes. */
function sameEverywhere({ operations, sessionId }: SessionFacts): Violation[] {
  const seen = new Map<string, { readonly frame: Frame; readonly number: number }>();
  const found: Violation[] = [];
  for (const operation of operations) {
    if (!('segments' in operation)) continue;
    for (const frame of operation.segments.flatMap(({ frames }) => frames)) {
      if (isHearsay(frame)) continue;
      const known = seen.get(frame.id);
      if (!known) seen.set(frame.id, { frame, number: operation.number });
      else if (known.frame.data !== frame.data || known.frame.event !== frame.event) {
        const message = `the event ${frame.id} is ${known.frame.event} ${known.frame.data}, and ${frame.event} ${frame.data}`;
        found.push({ invariant: 'I7', message, sessionId, operations: [known.number, operation.number] });
      }
    }
  }
  return found;
}
