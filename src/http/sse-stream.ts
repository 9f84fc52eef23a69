// The writer of event streams: a cursor over frames that were made once. It never buffers for a client: what the
// socket does not take stays in the log, so a stuck client costs one socket buffer, and is cut after a while.

import type { ServerResponse } from 'node:http';
import type { FrameSource } from '../chat/frame-log.ts';
import { Body } from './chunked-body.ts';

export interface SseRules {
  /** A comment so often, whatever else is written, keeps every hop awake. */
  readonly heartbeatMs: number;
  /** A client that takes nothing for so long is cut; it can come back and go on. */
  readonly stallMs: number;
  /** So often it is asked again whether the viewer may still read. */
  readonly identityRecheckMs: number;
}

/** Frames that wait are written in pieces of about this length, so that many small ones are one write. */
const WRITE_LENGTH = 15 * 1024;

export const OPEN_COMMENT = ': open\n\n';
const HEARTBEAT = ': heartbeat\n\n';

export interface StreamStart {
  /** What the client has seen already: frames up to this one are left out. */
  readonly afterSeq?: number;
  /** How long the client has waited already: the first heartbeat is due that much earlier. */
  readonly silentMs?: number;
  /** Written before everything, also when there is nothing else yet. */
  readonly opening?: string;
}

/**
 * Write the log to its end. Resolves when the stream has ended, in whatever way: everything
 * written, the client gone, or cut because it did not read. Never rejects, never waits for ever.
 */
export function streamLog(
  response: ServerResponse,
  log: FrameSource,
  rules: SseRules,
  { afterSeq = 0, silentMs = 0, opening = '' }: StreamStart = {},
): Promise<void> {
  return new LogWriter(response, log, rules, { afterSeq, opening }).run(silentMs);
}

/** The pumps of all streams that have something to write: after everything that was read in this turn of the event loop. */
let waitingPumps: (() => void)[] = [];

function pumpAll(): void {
  const pumps = waitingPumps;
  waitingPumps = [];
  for (const pump of pumps) pump();
}

class LogWriter {
  readonly #response: ServerResponse;
  readonly #body: Body;
  readonly #log: FrameSource;
  readonly #rules: SseRules;
  #seq: number;
  #opening: string;
  #isPumpDue = false;
  #isStallArmed = false;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(
    response: ServerResponse,
    log: FrameSource,
    rules: SseRules,
    { afterSeq, opening }: { readonly afterSeq: number; readonly opening: string },
  ) {
    this.#response = response;
    this.#body = new Body(response, () => this.#resume());
    this.#seq = afterSeq;
    this.#opening = opening;
    this.#log = log;
    this.#rules = rules;
  }

  run(silentMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const response = this.#response;
    const onStall = () => response.destroy();
    const unwatch = this.#log.watch(() => this.#pumpSoon());
    const finish = () => {
      unwatch();
      clearTimeout(this.#heartbeat);
      this.#body.release();
      response.off('timeout', onStall);
      resolve();
    };
    response.on('timeout', onStall);
    // The connection may serve another request afterwards, which may take its time.
    response.prependOnceListener('finish', () => response.setTimeout(0));
    // `close` comes after everything: a finished body, a reset, a destroyed socket.
    response.once('close', finish);
    if (response.destroyed) finish();
    else {
      this.#beatAfter(Math.max(0, this.#rules.heartbeatMs - silentMs));
      this.#pump();
    }
    return promise;
  }

  #pump(): void {
    const body = this.#body;
    this.#isPumpDue = false;
    while (body.takesMore && (this.#hasMore || this.#log.hasEnded)) {
      const piece = this.#nextPiece();
      if (this.#log.hasEnded && !this.#hasMore) body.end(piece);
      else body.write(piece);
    }
    // Blocked, or the last bytes are still waiting: for a client that may have stopped reading.
    if (!body.takesMore) this.#armStall();
  }

  get #hasMore(): boolean {
    return this.#opening !== '' || this.#log.frameAfter(this.#seq) !== undefined;
  }

  #nextPiece(): string {
    let piece = this.#opening;
    this.#opening = '';
    for (let frame = this.#log.frameAfter(this.#seq); frame && piece.length < WRITE_LENGTH; ) {
      piece += frame.text;
      this.#seq = frame.seq;
      frame = this.#log.frameAfter(this.#seq);
    }
    return piece;
  }

  /** All chunks of one network read arrive in one go: they become one write. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    if (waitingPumps.push(() => this.#pump()) === 1) setImmediate(pumpAll);
  }

  /** The socket's own timeout sees every byte that leaves, so a slow reader is told from one that has stopped. */
  #armStall(): void {
    if (this.#isStallArmed) return;
    this.#isStallArmed = true;
    this.#response.setTimeout(this.#rules.stallMs);
  }

  #resume(): void {
    this.#isStallArmed = false;
    this.#response.setTimeout(0);
    this.#pump();
  }

  #beatAfter(ms: number): void {
    this.#heartbeat = setTimeout(() => {
      // Not while the socket is full: whoever does not read needs no sign of life.
      if (this.#body.takesMore) this.#body.write(HEARTBEAT);
      this.#beatAfter(this.#rules.heartbeatMs);
    }, ms);
  }
}
