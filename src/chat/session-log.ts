// All turns of a session as they come, for somebody who watches the session and not one turn: one reader of its own, which
// keeps no more than what its viewer has not taken yet.

import type { Clock } from './clock.ts';
import { ChatError } from './errors.ts';
import type { FrameSource } from './frame-log.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore, Watch } from './session-store.ts';
import type { RunningMark, StoredSession } from './stored-session.ts';
import { startedTurn } from './turn.ts';
import {
  type EventCursor,
  encodeFrame,
  type Frame,
  isTerminal,
  REAPER_SEQ,
  splitFrames,
  startOf,
  type TurnStarted,
  terminalEvent,
} from './turn-event.ts';
import { cancelledTurn } from './unproduced-turn.ts';

export interface FollowSessionDependencies {
  readonly store: SessionStore;
  readonly clock: Clock;
  /** How often the store is read without a ring. */
  readonly followMs: number;
  /** Ends a turn whose producer is dead; the store decides. */
  readonly reap: (key: SessionKey, mark: RunningMark) => Promise<void>;
}

/** Nothing more is read before the viewer has taken these. */
const WAITING_FRAMES_MAX = 1000;

export class SessionLog implements FrameSource {
  readonly #key: SessionKey;
  readonly #deps: FollowSessionDependencies;
  readonly #listeners = new Set<() => void>();
  /** Numbered on their own: the numbers of turns begin anew with every turn. */
  #frames: Frame[] = [];
  #count = 0;
  #cursor: EventCursor;
  /** The turn that has begun and not ended, as far as it was told. */
  #running: TurnStarted | undefined;
  #createTimeMs: number | undefined;
  #watch: Watch | undefined;
  #stopTimer: (() => void) | undefined;
  #isReading = false;
  #isDirty = false;
  #hasEnded = false;

  /** What comes after the cursor. */
  constructor(key: SessionKey, cursor: EventCursor, deps: FollowSessionDependencies) {
    this.#key = key;
    this.#cursor = cursor;
    this.#deps = deps;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get lastSeq(): number {
    return this.#count;
  }

  /** Those before are forgotten: there is one viewer, and it never goes back. */
  frameAfter(seq: number): Frame | undefined {
    if ((this.#frames[0]?.seq ?? seq + 1) <= seq) {
      this.#frames = this.#frames.filter((frame) => frame.seq > seq);
      if (this.#isDirty) this.#ring();
    }
    return this.#frames[0];
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Fails with `store_unavailable`. */
  async open(): Promise<void> {
    const watch = await this.#deps.store.watch(this.#key, () => this.#ring());
    // Its viewer can have gone meanwhile.
    if (this.#hasEnded) return watch.close();
    this.#watch = watch;
    await this.#readSession();
    if (this.#hasEnded) return;
    this.#ring();
    this.#schedule(this.#deps.followMs);
  }

  /** Its viewer has gone, or is to go on elsewhere. */
  close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#watch?.close();
    this.#stopTimer?.();
    this.#wake();
  }

  #ring(): void {
    this.#isDirty = true;
    if (!this.#isReading) void this.#readWhileDirty();
  }

  async #readWhileDirty(): Promise<void> {
    this.#isReading = true;
    while (this.#isDirty && !this.#hasEnded && this.#frames.length < WAITING_FRAMES_MAX) {
      this.#isDirty = false;
      const before = this.#count;
      try {
        for (const { epoch, ...batch } of await this.#deps.store.readEvents(this.#key, this.#cursor)) {
          for (const frame of splitFrames(batch)) this.#take(epoch, frame);
        }
        // A ring without news may be that of a deletion.
        if (this.#count === before) await this.#readSession();
      } catch (error) {
        // What cannot be read now never can: whoever comes back is told so.
        if (isUnreadable(error)) this.close();
        // The store is away: the timer comes back to it.
        break;
      }
      this.#wake();
    }
    // In one go with the last look at the flag: a ring in between would be lost.
    this.#isReading = false;
  }

  #take(epoch: number, frame: Frame): void {
    const { seq, text } = frame;
    if (epoch === this.#cursor.epoch && seq <= this.#cursor.seq) return;
    this.#cursor = { epoch, seq };
    this.#running = isTerminal(frame) ? undefined : (startOf(frame) ?? this.#running);
    this.#count += 1;
    this.#frames.push({ seq: this.#count, text });
  }

  /** `undefined` when it is gone; then the log has ended. A session of the same name that was made since is another one. */
  async #readSession(): Promise<StoredSession | undefined> {
    const stored = await this.#deps.store.read(this.#key).catch(unlessGone);
    if (this.#hasEnded) return undefined;
    this.#createTimeMs ??= stored?.createTimeMs;
    if (stored && stored.createTimeMs === this.#createTimeMs) return stored;
    this.#endAsDeleted();
    return undefined;
  }

  /** To delete a session is to cancel its turn; there is nothing left that could tell. */
  #endAsDeleted(): void {
    const { epoch } = this.#cursor;
    if (this.#running) {
      const turn = cancelledTurn(startedTurn(this.#running), this.#deps);
      this.#take(epoch, encodeFrame(epoch, REAPER_SEQ, terminalEvent(turn)));
    }
    this.close();
  }

  #schedule(ms: number): void {
    this.#stopTimer = this.#deps.clock.after(ms, () => void this.#look());
  }

  /** What no ring tells: a lost ring, a dead producer, a session that has gone. */
  async #look(): Promise<void> {
    const { clock, followMs, reap } = this.#deps;
    let nextMs = followMs;
    try {
      const running = (await this.#readSession())?.running;
      const leaseMs = (running?.leaseUntilMs ?? Number.POSITIVE_INFINITY) - clock.now();
      if (running && leaseMs <= 0) await reap(this.#key, running);
      else nextMs = Math.min(followMs, leaseMs + 100);
      this.#ring();
    } catch (error) {
      if (isUnreadable(error)) this.close();
      // The store is away.
    }
    if (!this.#hasEnded) this.#schedule(nextMs);
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof ChatError && error.code === 'internal';
}

function unlessGone(error: unknown): undefined {
  if (error instanceof ChatError && error.code === 'session_not_found') return undefined;
  throw error;
}
