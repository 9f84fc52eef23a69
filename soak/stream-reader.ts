// One connection of a client that may hang up: the frames that it has seen, and how it ended. Thousands of them at once.

import { createParser } from 'eventsource-parser';
import { open } from '../test/support/client.ts';

export interface ReadFrame {
  readonly id: string;
  readonly event: string;
  /** As it came over the wire. */
  readonly data: string;
}

/** When the client hangs up; without any it reads to the end. */
export type Leaving =
  | { readonly kind: 'afterMs'; readonly ms: number }
  | { readonly kind: 'atHeaders' }
  | { readonly kind: 'afterFrames'; readonly frames: number };

export interface ReadOptions {
  readonly method: 'GET' | 'POST';
  readonly body?: object;
  /** The last event that the client has seen. */
  readonly after?: string;
  readonly leaving?: Leaving;
  readonly onFrame?: (frame: ReadFrame) => void;
}

export interface Reading {
  /** 0 when there was no answer, as for those who leave before it. */
  readonly status: number;
  readonly frames: readonly ReadFrame[];
  /** `left`: the client hung up. `cut`: the connection broke. */
  readonly end: 'end' | 'cut' | 'left';
}

/** Never rejects: what went wrong is what it tells. */
export function readStream(url: string, options: ReadOptions): Promise<Reading> {
  const { promise, resolve } = Promise.withResolvers<Reading>();
  const { method, body, after, leaving, onFrame } = options;
  const frames: ReadFrame[] = [];
  let status = 0;
  const headers = after === undefined ? {} : { 'last-event-id': after };
  const call = open(url, method, { body, headers });
  const finish = (end: Reading['end']) => {
    clearTimeout(timer);
    call.destroy();
    // A copy: what the parser still holds of the same packet is not seen any more.
    resolve({ status, frames: [...frames], end });
  };
  const timer = leaving?.kind === 'afterMs' ? setTimeout(() => finish('left'), leaving.ms) : undefined;
  const parser = createParser({
    onEvent: ({ id = '', event = 'message', data }) => {
      const frame = { id, event, data };
      frames.push(frame);
      onFrame?.(frame);
      if (leaving?.kind === 'afterFrames' && frames.length === leaving.frames) finish('left');
    },
  });
  call.on('error', () => finish('cut'));
  call.on('response', (answer) => {
    status = answer.statusCode ?? 0;
    const isStream = status === 200;
    answer.setEncoding('utf8').on('data', (text: string) => isStream && parser.feed(text));
    answer.on('end', () => finish('end'));
    answer.on('error', () => finish('cut'));
    if (leaving?.kind === 'atHeaders') finish('left');
  });
  return promise;
}
