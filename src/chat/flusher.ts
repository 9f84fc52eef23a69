// Carries the events of running turns to the store, off the hot path: neither the model nor a local viewer ever waits
// for it. The first ones go soon, so that whoever watches elsewhere sees life; then whatever is due goes together, often while
// somebody watches elsewhere, and seldom while nobody does.

import type { Clock } from './clock.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import { type Frame, joinFrames } from './turn-event.ts';
import type { TurnLog } from './turn-log.ts';
import type { Keep } from './turn-machine.ts';
import type { EventBatch } from './turn-store.ts';

export interface FlushRules {
  /** While somebody watches from elsewhere. */
  readonly flushMs: number;
  /** While nobody does: what a producer that dies takes along, and what a viewer who comes then waits for, at most. */
  readonly quietFlushMs: number;
  /** A turn with so much waiting does not wait any longer. In UTF-16 units, which most texts have one of for a byte. */
  readonly flushLength: number;
}

/** Not at once: a turn that ends by then needs no flush, since its end brings everything. */
const SOON_MS = 5;

/** One timer for all turns of the process: what is due goes in one tick, which is one write to the store. */
class Due {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #flushers = new Set<TurnFlusher>();
  #stopTimer: (() => void) | undefined;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  add(flusher: TurnFlusher): void {
    this.#flushers.add(flusher);
    this.#stopTimer ??= this.#clock.after(this.#ms, () => {
      this.#stopTimer = undefined;
      const due = [...this.#flushers];
      this.#flushers.clear();
      for (const turn of due) turn.flush();
    });
  }

  remove(flusher: TurnFlusher): void {
    if (!this.#flushers.delete(flusher) || this.#flushers.size > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}

export class FlushSchedule {
  readonly flushLength: number;
  readonly #soon: Due;
  readonly #watched: Due;
  readonly #quiet: Due;

  constructor(clock: Clock, { flushMs, quietFlushMs, flushLength }: FlushRules) {
    this.flushLength = flushLength;
    this.#soon = new Due(clock, Math.min(SOON_MS, flushMs));
    this.#watched = new Due(clock, flushMs);
    this.#quiet = new Due(clock, Math.max(flushMs, quietFlushMs));
  }

  add(flusher: TurnFlusher): void {
    if (flusher.isWatched) this.#watched.add(flusher);
    else this.#quiet.add(flusher);
  }

  hurry(flusher: TurnFlusher): void {
    this.#soon.add(flusher);
  }

  remove(flusher: TurnFlusher): void {
    for (const due of [this.#soon, this.#watched, this.#quiet]) due.remove(flusher);
  }
}

/** What the store may answer to a flush. */
export interface FlushListener {
  readonly onLost: (reason: 'fenced' | 'gone') => void;
  readonly onCancel: (keep: Keep) => void;
}

/** The flushed part of one turn's log. At most one append of a turn is on its way at any time. */
export class TurnFlusher {
  readonly #store: SessionStore;
  readonly #key: SessionKey;
  readonly #log: TurnLog;
  readonly #schedule: FlushSchedule;
  readonly #told: FlushListener;
  #flushedSeq = 0;
  #waitingLength = 0;
  #isWatched = false;
  #inFlight: Promise<void> | undefined;
  #isStopped = false;

  constructor(store: SessionStore, key: SessionKey, log: TurnLog, schedule: FlushSchedule, told: FlushListener) {
    this.#store = store;
    this.#key = key;
    this.#log = log;
    this.#schedule = schedule;
    this.#told = told;
  }

  /** Whether somebody watches from elsewhere, as the store has said last. */
  get isWatched(): boolean {
    return this.#isWatched;
  }

  /** Something was appended to the log, of that length. */
  note(length: number): void {
    if (this.#isStopped) return;
    const isFirst = this.#waitingLength === 0;
    this.#waitingLength += length;
    if (this.#waitingLength >= this.#schedule.flushLength) this.hurry();
    else if (isFirst) this.#schedule.add(this);
  }

  /** What waits is for somebody who may be watching. */
  hurry(): void {
    if (!this.#isStopped) this.#schedule.hurry(this);
  }

  flush(): void {
    if (this.#isStopped || this.#inFlight || this.#log.lastSeq <= this.#flushedSeq) return;
    this.#waitingLength = 0;
    this.#schedule.remove(this);
    this.#inFlight = this.#append().finally(() => {
      this.#inFlight = undefined;
      if (!this.#isStopped && this.#log.lastSeq > this.#flushedSeq) this.#schedule.add(this);
    });
  }

  /** No append is on its way any more when this resolves, and none will be: `finish` carries what is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#schedule.remove(this);
    await this.#inFlight;
  }

  /** The store said where it stands (an answer to `finish`). */
  resumeFrom(seq: number): void {
    this.#flushedSeq = seq;
  }

  /** Everything after the flushed part, as one batch; with frames that are not in the log yet, if given. */
  rest(last: readonly Frame[] = []): EventBatch {
    const frames = [...this.#log.framesAfter(this.#flushedSeq), ...last];
    return {
      afterSeq: this.#flushedSeq,
      lastSeq: frames.at(-1)?.seq ?? this.#flushedSeq,
      frames: joinFrames(frames),
    };
  }

  async #append(): Promise<void> {
    const batch = this.rest();
    try {
      const appended = await this.#store.append(this.#key, this.#log.epoch, batch);
      if (appended.outcome === 'appended') {
        this.#flushedSeq = batch.lastSeq;
        this.#isWatched = appended.isWatched === true;
        if (appended.cancel) this.#told.onCancel(appended.cancel);
      } else if (appended.outcome === 'gap') this.#flushedSeq = appended.lastSeq;
      else {
        this.#isStopped = true;
        this.#told.onLost(appended.outcome);
      }
    } catch {
      // The store is away or slow: the log keeps the events, the next flush or `finish` brings them. The turn itself
      // reports a store that stays away, so nothing is lost by not speaking here.
    }
  }
}
