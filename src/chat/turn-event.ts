// The events of a turn's log, and the frames they become: the SSE text of each event, made once and shared by every
// viewer, on every replica, now and in a replay.

import type { Part } from './content.ts';
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
  readonly bytes: Uint8Array;
}

/**
 * The sequence number of a terminal event written by a reaper. Beyond any the lost producer can have shown to its
 * local viewers, flushed or not, so that a cursor never overtakes the end.
 */
export const REAPER_SEQ = 2 ** 32 - 1;

const encoder = new TextEncoder();

/**
 * `id` is `<epoch>-<seq>`: ordered, unique in the session for ever, and the id of the entry in the store. JSON has no
 * raw line ends, so `data` is always one line and nothing can break out of the frame.
 */
export function encodeFrame(epoch: number, seq: number, event: TurnEvent): Frame {
  const text = `id: ${epoch}-${seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`;
  return { seq, bytes: encoder.encode(text) };
}

/** Frames as one piece of bytes, as the store keeps a batch of them. */
export function joinFrames(frames: readonly Frame[]): Uint8Array {
  const joined = new Uint8Array(frames.reduce((length, frame) => length + frame.bytes.length, 0));
  let offset = 0;
  for (const frame of frames) {
    joined.set(frame.bytes, offset);
    offset += frame.bytes.length;
  }
  return joined;
}

const LF = 10;

/** The other way round. `batch` is as the store kept it: its frames are numbered without gaps, but for the last one's number. */
export function splitFrames({ afterSeq, lastSeq, frames }: EncodedFrames): readonly Frame[] {
  const split: Frame[] = [];
  let start = 0;
  for (let end = frames.indexOf(LF); end !== -1; end = frames.indexOf(LF, end + 1)) {
    // An empty line ends a frame.
    if (frames[end + 1] !== LF) continue;
    split.push({ seq: afterSeq + split.length + 1, bytes: frames.subarray(start, end + 2) });
    start = end + 2;
    end += 1;
  }
  const last = split.pop();
  return last ? [...split, { ...last, seq: lastSeq }] : split;
}

export interface EncodedFrames {
  readonly afterSeq: number;
  readonly lastSeq: number;
  readonly frames: Uint8Array;
}

/** Lines of a frame before its data. */
const HEAD_BYTES = 100;
const TERMINAL_HEAD = new RegExp(`^event: (?:${Object.values(TERMINAL_EVENT).join('|')})$`, 'm');
const decoder = new TextDecoder();

/** Whether this is the last frame of its turn. */
export function isTerminal({ bytes }: Frame): boolean {
  return TERMINAL_HEAD.test(decoder.decode(bytes.subarray(0, HEAD_BYTES)));
}

const STARTED_HEAD = /^event: turn\.started\ndata: /m;

/** What is told of the turn by the frame that begins it; `undefined` for any other frame. */
export function startOf({ bytes }: Frame): TurnStarted | undefined {
  if (!STARTED_HEAD.test(decoder.decode(bytes.subarray(0, HEAD_BYTES)))) return undefined;
  const [, text = ''] = decoder.decode(bytes).split(STARTED_HEAD);
  return parseAsWritten(text) as TurnStarted;
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
