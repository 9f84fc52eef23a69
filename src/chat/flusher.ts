// Carries the events of running turns to the store, off the hot path: neither the model nor a local viewer ever waits
// for it. The first chunk goes at once, so that remote viewers see life; then whatever is due goes together, every
// `flushMs`, or as soon as a turn has `flushBytes` waiting.

import type { Clock } from './clock.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import { type Frame, joinFrames } from './turn-event.ts';
import type { TurnLog } from './turn-log.ts';
import type { Keep } from './turn-machine.ts';
import type { EventBatch } from './turn-store.ts';

export interface FlushRules {
  readonly flushMs: number;
  readonly flushBytes: number;
}

/** One timer for all turns of the process: what is due goes in one tick, which is one write to the store. */
export class FlushSchedule {
  readonly #clock: Clock;
  readonly rules: FlushRules;
  readonly #due = new Set<TurnFlusher>();
  #stopTimer: (() => void) | undefined;

  constructor(clock: Clock, rules: FlushRules) {
    this.#clock = clock;
    this.rules = rules;
  }

  add(flusher: TurnFlusher): void {
    this.#due.add(flusher);
    this.#stopTimer ??= this.#clock.after(this.rules.flushMs, () => {
      this.#stopTimer = undefined;
      const due = [...this.#due];
      this.#due.clear();
      for (const turn of due) turn.flush();
    });
  }

  remove(flusher: TurnFlusher): void {
    this.#due.delete(flusher);
    if (this.#due.size > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
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
  #waitingBytes = 0;
  #inFlight: Promise<void> | undefined;
  #isStopped = false;

  constructor(store: SessionStore, key: SessionKey, log: TurnLog, schedule: FlushSchedule, told: FlushListener) {
    this.#store = store;
    this.#key = key;
    this.#log = log;
    this.#schedule = schedule;
    this.#told = told;
  }

  /** Something was appended to the log. */
  note(bytes: number): void {
    if (this.#isStopped) return;
    this.#waitingBytes += bytes;
    if (this.#waitingBytes >= this.#schedule.rules.flushBytes) this.flush();
    else this.#schedule.add(this);
  }

  flush(): void {
    if (this.#isStopped || this.#inFlight || this.#log.lastSeq <= this.#flushedSeq) return;
    this.#waitingBytes = 0;
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
