// The events of a turn's log, and the frames they become: the SSE text of each event, made once and shared by every
// viewer, on every replica, now and in a replay.

import type { Part } from './content.ts';
import type { Encoded } from './encoded.ts';
import { parseAsWritten } from './json-as-written.ts';
import type { SafetyRating } from './language-model.ts';
import { type Candidate, type Sent, type Turn, type TurnEndState, withoutTexts } from './turn.ts';

export interface CandidateDelta {
  readonly index: number;
  /** Visible text to append; may be empty. */
  readonly text: string;
  /** All parts of the chunk, verbatim; only when there is more than plain text among them. */
  readonly parts?: readonly Part[];
}

export type CandidateFinished = Omit<Candidate, 'text' | 'parts' | 'errors'> & {
  readonly safetyRatings?: readonly SafetyRating[];
};

export interface TurnStarted {
  readonly sessionId: string;
  readonly turnId: string;
  readonly model: string;
  readonly createTime: string;
  readonly sent: Sent;
}

export type TerminalEventType = 'turn.committed' | 'turn.blocked' | 'turn.failed' | 'turn.cancelled';

export interface TurnQueued {
  readonly sessionId: string;
  readonly turnId: string;
  /** In line, from 1. */
  readonly position: number;
}

export type TurnEvent =
  | { readonly type: 'turn.queued'; readonly data: TurnQueued }
  | { readonly type: 'turn.started'; readonly data: TurnStarted }
  | { readonly type: 'candidate.delta'; readonly data: CandidateDelta }
  | { readonly type: 'candidate.finished'; readonly data: CandidateFinished }
  | {
      readonly type: TerminalEventType;
      readonly data: ReturnType<typeof withoutTexts>;
    };

export const TERMINAL_EVENT = {
  COMMITTED: 'turn.committed',
  BLOCKED: 'turn.blocked',
  FAILED: 'turn.failed',
  CANCELLED: 'turn.cancelled',
} as const satisfies Record<TurnEndState, TerminalEventType>;

export function candidateFinished(candidate: Candidate): TurnEvent {
  const { text: _text, parts: _parts, errors: _errors, ...data } = candidate;
  return { type: 'candidate.finished', data };
}

/** The last event of a turn. `turn.state` must be a terminal state. */
export function terminalEvent(turn: Turn & { readonly state: TurnEndState }): TurnEvent {
  return { type: TERMINAL_EVENT[turn.state], data: withoutTexts(turn) };
}

/** One event of one turn, ready to be written. `seq` counts from 1 within the turn. */
export interface Frame {
  readonly seq: number;
  readonly text: string;
}

/**
 * The sequence number of a terminal event written by a reaper. Beyond any the lost producer can have shown to its
 * local viewers, flushed or not, so that a cursor never overtakes the end.
 */
export const REAPER_SEQ = 2 ** 32 - 1;

/**
 * `id` is `<epoch>-<seq>`: ordered, unique in the session for ever, and the id of the entry in the store. JSON has no
 * raw line ends, so `data` is always one line and nothing can break out of the frame.
 */
export function encodeFrame(epoch: number, seq: number, event: TurnEvent): Frame {
  const data = JSON.stringify(event.data);
  // Joined, and not added up: a string that is added up keeps its pieces, which are larger than a small frame.
  return { seq, text: ['id: ', epoch, '-', seq, '\nevent: ', event.type, '\ndata: ', data, '\n\n'].join('') };
}

/** Frames in one piece, as the store keeps a batch of them: added up, since it is about to be written. */
export function joinFrames(frames: readonly Frame[]): string {
  let joined = '';
  for (const { text } of frames) joined += text;
  return joined;
}

const END_OF_FRAME = '\n\n';
const decoder = new TextDecoder();

/** The other way round. `batch` is as the store kept it: its frames are numbered without gaps, but for the last one's number. */
export function splitFrames({ afterSeq, lastSeq, frames }: EncodedFrames): readonly Frame[] {
  const text = typeof frames === 'string' ? frames : decoder.decode(frames);
  const split: Frame[] = [];
  let start = 0;
  for (let at = text.indexOf(END_OF_FRAME); at !== -1; at = text.indexOf(END_OF_FRAME, start)) {
    const end = at + END_OF_FRAME.length;
    split.push({ seq: afterSeq + split.length + 1, text: text.slice(start, end) });
    start = end;
  }
  const last = split.pop();
  return last ? [...split, { ...last, seq: lastSeq }] : split;
}

export interface EncodedFrames {
  readonly afterSeq: number;
  readonly lastSeq: number;
  readonly frames: Encoded;
}

const TERMINAL_HEAD = new RegExp(`^id: [^\n]*\nevent: (?:${Object.values(TERMINAL_EVENT).join('|')})\n`);

/** Whether this is the last frame of its turn. */
export function isTerminal({ text }: Frame): boolean {
  return TERMINAL_HEAD.test(text);
}

const STARTED_HEAD = /^id: [^\n]*\nevent: turn\.started\ndata: /;

/** What is told of the turn by the frame that begins it; `undefined` for any other frame. */
export function startOf({ text }: Frame): TurnStarted | undefined {
  const head = STARTED_HEAD.exec(text)?.[0];
  return head === undefined ? undefined : (parseAsWritten(text.slice(head.length)) as TurnStarted);
}

/** Where a viewer stands: what it has seen last. */
export interface EventCursor {
  readonly epoch: number;
  readonly seq: number;
}

/** `undefined` when this is no id that an event can have. */
export function readEventId(id: string): EventCursor | undefined {
  const match = /^(\d{1,16})-(\d{1,10})$/.exec(id);
  const cursor = { epoch: Number(match?.[1]), seq: Number(match?.[2]) };
  return match && cursor.seq <= REAPER_SEQ && Number.isSafeInteger(cursor.epoch) ? cursor : undefined;
}
