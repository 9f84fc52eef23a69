// I7 and I8: a stream, put together from all connections on which it was watched, is the log of its turn: no gap, no
// duplicate, the same bytes for every viewer, one terminal event at its end.

import type { Frame, Operation, Segment, SendOperation, Violation, WatchOperation } from './evidence.ts';
import { isHearsay, isOfLostProducer, isTerminal } from './frames.ts';
import type { SessionFacts } from './session-facts.ts';

export function checkStreams(facts: SessionFacts): readonly Violation[] {
  const streams = facts.operations.filter(isViewing);
  const byTurn = Map.groupBy(
    streams.filter(({ turnId }) => turnId !== undefined),
    ({ turnId }) => turnId,
  );
  const answers = new Map(facts.longest?.messages.map(({ turnId, content }) => [turnId, content]));
  return [
    ...streams.flatMap((viewing) => oneStream(viewing, answers.get(viewing.turnId))),
    ...[...byTurn.values()].flatMap(sameFrames),
  ];
}

type Viewing = SendOperation | WatchOperation;

function isViewing(operation: Operation): operation is Viewing {
  return (operation.kind === 'send' || operation.kind === 'watch') && operation.segments.length > 0;
}

/** `answer` is the text of the turn as it stands in the history. */
function oneStream(send: Viewing, answer: string | undefined): Violation[] {
  const frames = framesOf(send);
  const first = frames[0];
  const of = (invariant: string, message: string): Violation => {
    return { invariant, message, sessionId: send.sessionId, operations: [send.number] };
  };
  const badly = badEnds(send.segments, of);
  if (!first) return badly;
  const terminals = frames.filter(isTerminal);
  const last = frames.at(-1);
  const found = [...badly, ...repeated(frames, of), ...wrongSuffix(send.segments, of)];
  if (terminals.length > 1) found.push(of('I8', `${terminals.length} terminal events: ${shown(terminals)}`));
  if (terminals.length === 1 && last && !isTerminal(last))
    found.push(of('I8', `${last.event} after the terminal event`));
  // A producer that was lost before it could store anything leaves the terminal event alone.
  const isLone = frames.length === 1 && isTerminal(first);
  const begins = first.event === 'turn.queued' || first.event === 'turn.started' || isLone;
  if (!begins) found.push(of('I7', `the stream begins with ${first.event}`));
  if (last?.event === 'turn.committed') found.push(...wholeText(answer, frames, of));
  return found;
}

type Of = (invariant: string, message: string) => Violation;

function framesOf({ segments }: Viewing): readonly Frame[] {
  return segments.flatMap(({ frames }) => frames);
}

function shown(frames: readonly Frame[]): string {
  return frames.map(({ id, event }) => `${event} (${id})`).join(', ');
}

/** I14: a stream ends some time, and does not fail by itself. */
function badEnds(segments: readonly Segment[], of: Of): Violation[] {
  return segments.flatMap(({ replica, status, end }) => {
    if (end === 'endless') return [of('I14', `a stream of replica ${replica} did not end`)];
    return status === 500 ? [of('I14', `replica ${replica} answered a viewer with an internal error`)] : [];
  });
}

function repeated(frames: readonly Frame[], of: Of): Violation[] {
  const ids = frames.map(({ id }) => id);
  const again = ids.find((id, index) => ids.indexOf(id) !== index);
  return again === undefined ? [] : [of('I7', `the event ${again} was delivered twice`)];
}

/** An id that was given is taken, and "nothing comes after the cursor" is true of a terminal event alone. */
function wrongSuffix(segments: readonly Segment[], of: Of): Violation[] {
  const frames = new Map(segments.flatMap((segment) => segment.frames).map((frame) => [frame.id, frame]));
  return segments.flatMap(({ status, after, replica }) => {
    if (status === 400)
      return [of('I7', `replica ${replica} does not take the id ${after}, which the service has given`)];
    const cursor = after === undefined ? undefined : frames.get(after);
    if (status !== 204 || (cursor && isTerminal(cursor))) return [];
    return [
      of('I7', `replica ${replica} says that nothing comes after ${after} (${cursor?.event ?? 'the beginning'})`),
    ];
  });
}

/** The deltas of a committed answer are its text, whoever asks for it later. */
function wholeText(answer: string | undefined, frames: readonly Frame[], of: Of): Violation[] {
  const streamed = frames
    .filter(({ event }) => event === 'candidate.delta')
    .map(({ data }) => (JSON.parse(data) as { text: string }).text)
    .join('');
  if (answer === undefined || answer === streamed) return [];
  return [of('I7', `the deltas say “${streamed}”, the history says “${answer}”`)];
}

/**
 * All viewers of a turn have seen parts of one sequence, byte by byte. When its producer was lost, some may have seen what
 * it could not store any more: then only what several have seen is compared.
 */
function sameFrames(viewings: readonly Viewing[]): Violation[] {
  const longest = viewings.map(loggedOf).reduce((best, frames) => (frames.length > best.length ? frames : best));
  const isLost = viewings.some((viewing) => framesOf(viewing).some(isOfLostProducer));
  return viewings.flatMap((viewing) => {
    const different = firstDifference(loggedOf(viewing), longest, isLost);
    if (!different) return [];
    const [frame, other] = different.map((one) => (one ? `${one.id} ${one.event} ${one.data}` : 'nothing'));
    const message = `two viewers of turn ${viewing.turnId} have seen different events: ${frame}, and ${other}`;
    const operations = viewings.map(({ number }) => number);
    return [{ invariant: 'I7', message, sessionId: viewing.sessionId, operations }];
  });
}

function loggedOf(viewing: Viewing): readonly Frame[] {
  return framesOf(viewing).filter((frame) => !isHearsay(frame));
}

function firstDifference(
  frames: readonly Frame[],
  longest: readonly Frame[],
  isLost: boolean,
): readonly [Frame | undefined, Frame | undefined] | undefined {
  const position = new Map(longest.map(({ id }, index) => [id, index]));
  // Made again from the turn's record, when its log was gone: other pieces with other ids, of the same answer.
  if (frames.every(({ id }) => !position.has(id))) return undefined;
  const start = position.get(frames[0]?.id ?? '') ?? 0;
  for (const [index, frame] of frames.entries()) {
    const at = position.get(frame.id);
    if (isLost && at === undefined) continue;
    const other = longest[isLost ? (at ?? 0) : start + index];
    if (!other || frame.id !== other.id || frame.event !== other.event || frame.data !== other.data)
      return [frame, other];
  }
  return undefined;
}
