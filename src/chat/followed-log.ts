// The log of a turn that another process produces (or has produced), read from the store: first what is there, then what
// comes. A ring of the session's doorbell says when to read; a timer reads anyway, since rings can be lost, and notices a
// producer that has died. One for each turn and process, however many viewers there are.

import type { Clock } from './clock.ts';
import { ChatError } from './errors.ts';
import { FrameLog } from './frame-log.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore, Watch } from './session-store.ts';
import type { RunningMark } from './stored-session.ts';
import type { Turn } from './turn.ts';
import { encodeFrame, isTerminal, REAPER_SEQ, splitFrames, terminalEvent } from './turn-event.ts';
import { cancelledTurn } from './unproduced-turn.ts';

export interface FollowRules {
  /** How often the log is read without a ring. */
  readonly followMs: number;
}

export interface FollowDependencies {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly rules: FollowRules;
  /** Ends a turn whose producer is dead; the store decides. */
  readonly reap: (key: SessionKey, mark: RunningMark) => Promise<void>;
}

/** A moment more than the lease, so that the clock of the store agrees. */
const LEASE_GRACE_MS = 100;
/** When a store that was away is asked again. */
const RETRY_MS = 1000;

export class FollowedLog extends FrameLog {
  readonly #key: SessionKey;
  readonly #turn: Turn;
  readonly #deps: FollowDependencies;
  #watch: Watch | undefined;
  #stopTimer: (() => void) | undefined;
  #isReading = false;
  #isDirty = false;
  /** Something is missing between what was read and what there is. */
  #hasGap = false;
  #isComplete = false;
  /** Of the session: another one of the same name was created at another time. */
  #createTimeMs: number | undefined;

  /** `turn` is what is known of it: for its last event, should the session be deleted. */
  constructor(key: SessionKey, turn: Turn, epoch: number, deps: FollowDependencies) {
    super(epoch);
    this.#key = key;
    this.#turn = turn;
    this.#deps = deps;
  }

  /** Whether its beginning is gone: then it cannot be read. */
  get hasExpired(): boolean {
    return this.#hasGap;
  }

  /** Whether its last event is there; it can also end without one (`close`). */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Reads what is there, and keeps on reading. Fails with `store_unavailable`, `session_not_found`. */
  async open(): Promise<void> {
    this.#watch = await this.#deps.store.watch(this.#key, () => this.#ring());
    await this.#read();
    // Its lease may be about to run out.
    await this.#lookAtProducer();
  }

  /** Reads what is there now, without waiting for a ring. Fails with `store_unavailable`. */
  async catchUp(): Promise<void> {
    await this.#read();
  }

  /** Nobody reads it any more, or this process has to go: its cursors end without a last event, and come back elsewhere. */
  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    if (!this.hasEnded) this.finish();
  }

  #complete(): void {
    this.#isComplete = true;
    this.close();
  }

  #ring(): void {
    if (this.hasEnded) return;
    this.#isDirty = true;
    if (!this.#isReading) void this.#readWhileDirty();
  }

  async #readWhileDirty(): Promise<void> {
    this.#isReading = true;
    while (this.#isDirty && !this.hasEnded) {
      this.#isDirty = false;
      await this.#orSoonAgain(async () => {
        // A ring without news may be that of a deletion.
        if (!(await this.#read())) await this.#lookAtProducer();
      });
    }
    // In one go with the last look at the flag: a ring in between would be lost.
    this.#isReading = false;
  }

  /** Whether there was anything new. */
  async #read(): Promise<boolean> {
    const seqBefore = this.lastSeq;
    for (const batch of await this.#deps.store.readFrames(this.#key, this.epoch, this.lastSeq)) {
      if (this.hasEnded) break;
      if (batch.afterSeq > this.lastSeq) {
        this.#hasGap = true;
        this.close();
        break;
      }
      const frames = splitFrames(batch).filter(({ seq }) => seq > this.lastSeq);
      this.add(frames);
      const last = frames.at(-1);
      if (last && isTerminal(last)) this.#complete();
    }
    return this.lastSeq > seqBefore;
  }

  #schedule(ms: number): void {
    this.#stopTimer?.();
    this.#stopTimer = this.hasEnded ? undefined : this.#deps.clock.after(ms, () => void this.#look());
  }

  /** What no ring tells: a lost ring, a dead producer. */
  #look(): Promise<void> {
    return this.#orSoonAgain(async () => {
      await this.#read();
      await this.#lookAtProducer();
    });
  }

  /** While the store is away, viewers keep their connection. */
  async #orSoonAgain(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      const code = error instanceof ChatError ? error.code : undefined;
      if (code === 'session_not_found') this.#endAsDeleted();
      // What cannot be read now never can: whoever comes back is told so.
      else if (code === 'internal') this.close();
      else this.#schedule(Math.min(RETRY_MS, this.#deps.rules.followMs));
    }
  }

  /** And when to do so again. */
  async #lookAtProducer(): Promise<void> {
    if (this.hasEnded) return;
    const { store, clock, rules, reap } = this.#deps;
    const { running, createTimeMs } = await store.read(this.#key);
    this.#createTimeMs ??= createTimeMs;
    if (createTimeMs !== this.#createTimeMs) return this.#endAsDeleted();
    if (running?.epoch !== this.epoch) {
      // It has ended between the two reads, or its log is not there any more.
      await this.#read();
      return this.close();
    }
    const leaseMs = running.leaseUntilMs - clock.now();
    if (leaseMs > 0) return this.#schedule(Math.min(rules.followMs, leaseMs + LEASE_GRACE_MS));
    await reap(this.#key, running);
    await this.#read();
    this.#schedule(LEASE_GRACE_MS);
  }

  /**
   * To delete a session is to cancel its turn; there is nothing left that could tell. Its number is beyond any that a
   * viewer can have seen at the producer and that did not reach the store.
   */
  #endAsDeleted(): void {
    if (this.hasEnded) return;
    const turn = cancelledTurn(this.#turn, this.#deps);
    this.add([encodeFrame(this.epoch, REAPER_SEQ, terminalEvent(turn))]);
    this.#complete();
  }
}
