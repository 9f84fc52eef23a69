// The writer of event streams: a cursor over frames that were encoded once. It never buffers for a client: what the
// socket does not take stays in the log, so a stuck client costs one socket buffer, and is cut after a while.

import type { ServerResponse } from 'node:http';
import type { TurnLog } from '../chat/turn-log.ts';

export interface SseRules {
  /** A comment so often, whatever else is written, keeps every hop awake. */
  readonly heartbeatMs: number;
  /** A client that takes nothing for so long is cut; it can come back and go on. */
  readonly stallMs: number;
}

/** Frames that wait are written in pieces of about this size, so that many small ones are one write. */
const WRITE_BYTES = 16 * 1024;

export const OPEN_COMMENT = ': open\n\n';
const HEARTBEAT = ': heartbeat\n\n';

/**
 * Write the log from its beginning to its end. Resolves when the stream has ended, in whatever way: everything
 * written, the client gone, or cut because it did not read. Never rejects, never waits for ever. `silentMs` is how long
 * the client has waited already: the first heartbeat is due that much earlier.
 */
export function streamLog(response: ServerResponse, log: TurnLog, rules: SseRules, silentMs = 0): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let cursor = 0;
  let isPumpDue = false;
  let isStallArmed = false;
  let heartbeat: NodeJS.Timeout | undefined;

  const pump = () => {
    isPumpDue = false;
    while (cursor < log.length && !response.writableNeedDrain && !response.destroyed) {
      const piece: Uint8Array[] = [];
      let bytes = 0;
      for (let frame = log.frameAt(cursor); frame && bytes < WRITE_BYTES; frame = log.frameAt(cursor)) {
        piece.push(frame.bytes);
        bytes += frame.bytes.length;
        cursor += 1;
      }
      response.write(piece.length === 1 ? piece[0] : Buffer.concat(piece, bytes));
    }
    if (response.writableNeedDrain) return armStall();
    if (!log.hasEnded || cursor < log.length || response.writableEnded) return;
    response.end();
    // The last bytes may still be waiting for a client that has stopped reading.
    armStall();
  };

  // All chunks of one network read arrive in one go: they become one write.
  const pumpSoon = () => {
    if (isPumpDue) return;
    isPumpDue = true;
    setImmediate(pump);
  };

  // The socket's own timeout sees every byte that leaves, so a slow reader is told from one that has stopped.
  const armStall = () => {
    if (isStallArmed) return;
    isStallArmed = true;
    response.setTimeout(rules.stallMs);
  };
  const onStall = () => response.destroy();

  const onDrain = () => {
    isStallArmed = false;
    response.setTimeout(0);
    pump();
  };

  const beatAfter = (ms: number) => {
    heartbeat = setTimeout(() => {
      // Not while the socket is full: whoever does not read needs no sign of life.
      if (!response.writableNeedDrain && !response.writableEnded) response.write(HEARTBEAT);
      beatAfter(rules.heartbeatMs);
    }, ms);
  };

  const unwatch = log.watch(pumpSoon);
  const finish = () => {
    unwatch();
    clearTimeout(heartbeat);
    response.off('drain', onDrain);
    response.off('timeout', onStall);
    resolve();
  };
  response.on('drain', onDrain);
  response.on('timeout', onStall);
  // `close` comes after everything: a finished body, a reset, a destroyed socket.
  response.once('close', finish);
  if (response.destroyed) finish();
  else {
    beatAfter(Math.max(0, rules.heartbeatMs - silentMs));
    pump();
  }
  return promise;
}
