// The writer of event streams: a cursor over frames that were encoded once. It never buffers for a client: what the
// socket does not take stays in the log, so a stuck client costs one socket buffer, and is cut after a while.

import type { ServerResponse } from 'node:http';
import type { TurnLog } from '../chat/turn-log.ts';

export interface SseRules {
  /** A comment after so much silence keeps every hop awake. */
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
 * written, the client gone, or cut because it did not read. Never rejects, never waits for ever.
 */
export function streamLog(response: ServerResponse, log: TurnLog, rules: SseRules): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let cursor = 0;
  let isPumpDue = false;
  let stallTimer: NodeJS.Timeout | undefined;

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
      heartbeat.refresh();
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

  const armStall = () => {
    stallTimer ??= setTimeout(() => response.destroy(), rules.stallMs);
  };

  const onDrain = () => {
    clearTimeout(stallTimer);
    stallTimer = undefined;
    pump();
  };

  // Not while the socket is full: whoever does not read needs no sign of life.
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain && !response.writableEnded) response.write(HEARTBEAT);
  }, rules.heartbeatMs);

  const unwatch = log.watch(pumpSoon);
  const finish = () => {
    unwatch();
    clearInterval(heartbeat);
    clearTimeout(stallTimer);
    response.off('drain', onDrain);
    resolve();
  };
  response.on('drain', onDrain);
  // `close` comes after everything: a finished body, a reset, a destroyed socket.
  response.once('close', finish);
  if (response.destroyed) finish();
  else pump();
  return promise;
}
