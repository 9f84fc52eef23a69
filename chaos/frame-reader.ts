// One connection on which a turn or a session is watched: every frame as it came, until it ends, breaks, or the client hangs up.

import type { IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import { open, type SendOptions } from '../test/support/client.ts';
import type { Frame, Segment } from './evidence.ts';
import { TERMINAL_EVENTS } from './frames.ts';
import { type Told, toldByAnswer, toldByFrames } from './outcome.ts';

export interface Watched {
  readonly segment: Segment;
  /** Of an answer that is no stream. */
  readonly body: unknown;
  readonly turnId?: string;
}

export interface WatchOptions extends SendOptions {
  readonly replica: number;
  readonly method: 'GET' | 'POST';
  readonly after?: string;
  /** Hang up after so many frames. */
  readonly leaveAfter?: number;
  /** Hang up after so long. */
  readonly leaveMs?: number;
  readonly nowMs: () => number;
  /** By now every turn must have come to its end, and its viewers with it. */
  readonly late: AbortSignal;
  /** An answer that says nothing for so long is given up. */
  readonly silentMs: number;
}

/** Some turns in line, each until its own time is over: no stream of a run has a reason to be longer. */
const STREAM_MS_MAX = 150_000;

/** Never rejects: what went wrong is what it tells. */
export function watchFrames(url: string, options: WatchOptions): Promise<Watched> {
  const { promise, resolve } = Promise.withResolvers<Watched>();
  const frames: Frame[] = [];
  let response: IncomingMessage | undefined;
  let text = '';
  const call = open(url, options.method, options);
  const finish = (end: Segment['end']) => {
    clearTimeout(silence);
    clearTimeout(endless);
    clearTimeout(leaving);
    options.late.removeEventListener('abort', onLate);
    call.destroy();
    const status = response?.statusCode ?? 0;
    const after = options.after === undefined ? {} : { after: options.after };
    const turnId = response?.headers['turn-id'];
    resolve({
      segment: { replica: options.replica, status, frames: [...frames], end, ...after },
      body: bodyOf(text),
      ...(typeof turnId === 'string' ? { turnId } : {}),
    });
  };
  const onLate = () => finish('endless');
  options.late.addEventListener('abort', onLate);
  const leaving = options.leaveMs === undefined ? undefined : setTimeout(() => finish('left'), options.leaveMs);
  const endless = setTimeout(() => finish('endless'), STREAM_MS_MAX);
  const silence = setTimeout(() => finish('cut'), options.silentMs);
  const parser = createParser({
    onEvent: ({ id = '', event = 'message', data }) => {
      frames.push({ id, event, data, atMs: options.nowMs() });
      // What comes after the terminal event has to be seen, so only other frames end it here.
      if (frames.length === options.leaveAfter && !TERMINAL_EVENTS.includes(event)) finish('left');
    },
  });
  call.on('error', () => finish('cut'));
  call.on('response', (answer) => {
    response = answer;
    const isStream = answer.headers['content-type']?.startsWith('text/event-stream') === true;
    answer.setEncoding('utf8');
    answer.on('data', (piece: string) => {
      silence.refresh();
      if (isStream) parser.feed(piece);
      else text += piece;
    });
    answer.on('end', () => finish('end'));
    answer.on('error', () => finish('cut'));
  });
  // Its listener would never be called: such a connection was open for as long as a stream may be.
  if (options.late.aborted) finish('left');
  return promise;
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What all connections together say of the turn. */
export function toldByStream(watched: readonly Watched[]): Told {
  const [first] = watched;
  if (first && first.segment.status !== 200 && first.segment.status !== 0) {
    return toldByAnswer(first.segment.status, first.body, first.turnId);
  }
  const told = toldByFrames(
    watched.flatMap(({ segment }) => segment.frames),
    TERMINAL_EVENTS,
  );
  return told.turnId === undefined && first?.turnId !== undefined ? { ...told, turnId: first.turnId } : told;
}

/** The connections on which there was a stream, nothing more to stream, or an error that must not be. */
export function streamed(watched: readonly Watched[]): readonly Segment[] {
  return watched
    .map(({ segment }) => segment)
    .filter(({ status, after }) => [200, 204, 500].includes(status) || (status === 400 && after !== undefined));
}
