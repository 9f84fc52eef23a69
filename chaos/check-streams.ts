// I7 and I8: a stream, put together from all connections on which it was watched, is the log of its turn: no gap, no
// duplicate, the same bytes for every viewer, one terminal event at its end.

import type { Frame, Segment, SendOperation, Violation } from './evidence.ts';
import type { SessionFacts } from './session-facts.ts';

export const TERMINAL_EVENTS: readonly string[] = ['turn.committed', 'turn.blocked', 'turn.failed', 'turn.cancelled'];

export function checkStreams(facts: SessionFacts): readonly Violation[] {
  const streams = facts.sends.filter(({ segments }) => segments.length > 0);
  const byTurn = Map.groupBy(
    streams.filter(({ turnId }) => turnId !== undefined),
    ({ turnId }) => turnId,
  );
  return [...streams.flatMap(oneStream), ...[...byTurn.values()].flatMap(sameFrames)];
}

function oneStream(send: SendOperation): Violation[] {
  const frames = framesOf(send);
  const first = frames[0];
  if (!first) return [];
  const of = (invariant: string, message: string): Violation => {
    return { invariant, message, sessionId: send.sessionId, operations: [send.number] };
  };
  const terminals = frames.filter(isTerminal);
  const last = frames.at(-1);
  const found = [...repeated(frames, of), ...wrongSuffix(send.segments, of)];
  if (terminals.length > 1) found.push(of('I8', `${terminals.length} terminal events: ${shown(terminals)}`));
  if (terminals.length === 1 && last && !isTerminal(last))
    found.push(of('I8', `${last.event} after the terminal event`));
  // A producer that was lost before it could store anything leaves the terminal event alone.
  const isLone = frames.length === 1 && isTerminal(first);
  const begins = first.event === 'turn.queued' || first.event === 'turn.started' || isLone;
  if (!begins) found.push(of('I7', `the stream begins with ${first.event}`));
  if (last?.event === 'turn.committed') found.push(...wholeText(send, frames, of));
  return found;
}

type Of = (invariant: string, message: string) => Violation;

function framesOf({ segments }: SendOperation): readonly Frame[] {
  return segments.flatMap(({ frames }) => frames);
}

function isTerminal({ event }: Frame): boolean {
  return TERMINAL_EVENTS.includes(event);
}

function shown(frames: readonly Frame[]): string {
  return frames.map(({ id, event }) => `${event} (${id})`).join(', ');
}

function repeated(frames: readonly Frame[], of: Of): Violation[] {
  const ids = frames.map(({ id }) => id);
  const again = ids.find((id, index) => ids.indexOf(id) !== index);
  return again === undefined ? [] : [of('I7', `the event ${again} was delivered twice`)];
}

/** "Nothing comes after the cursor" is true of a terminal event alone. */
function wrongSuffix(segments: readonly Segment[], of: Of): Violation[] {
  const frames = new Map(segments.flatMap((segment) => segment.frames).map((frame) => [frame.id, frame]));
  return segments.flatMap(({ status, after, replica }) => {
    const cursor = after === undefined ? undefined : frames.get(after);
    if (status !== 204 || (cursor && isTerminal(cursor))) return [];
    return [
      of('I7', `replica ${replica} says that nothing comes after ${after} (${cursor?.event ?? 'the beginning'})`),
    ];
  });
}

/** The deltas of a committed answer are its text, whoever asks for it later. */
function wholeText(send: SendOperation, frames: readonly Frame[], of: Of): Violation[] {
  const streamed = frames
    .filter(({ event }) => event === 'candidate.delta')
    .map(({ data }) => (JSON.parse(data) as { text: string }).text)
    .join('');
  if (send.turn === undefined || send.turn.text === '' || send.turn.text === streamed) return [];
  return [of('I7', `the deltas say “${streamed}”, the turn says “${send.turn.text}”`)];
}

/** All viewers of a turn have seen parts of one sequence, byte by byte. */
function sameFrames(sends: readonly SendOperation[]): Violation[] {
  const longest = sends.map(framesOf).reduce((best, frames) => (frames.length > best.length ? frames : best));
  const position = new Map(longest.map(({ id }, index) => [id, index]));
  return sends.flatMap((send) => {
    const frames = framesOf(send);
    const start = position.get(frames[0]?.id ?? '') ?? 0;
    const at = frames.findIndex((frame, index) => {
      const other = longest[start + index];
      return !other || frame.id !== other.id || frame.event !== other.event || frame.data !== other.data;
    });
    if (at === -1) return [];
    const [frame, other] = [frames[at], longest[start + at]];
    const message = `two viewers of turn ${send.turnId} have seen different events: ${frame?.id} ${frame?.event} ${frame?.data}, and ${other?.id} ${other?.event} ${other?.data}`;
    return [{ invariant: 'I7', message, sessionId: send.sessionId, operations: sends.map(({ number }) => number) }];
  });
}
