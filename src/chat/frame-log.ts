// A turn's log as cursors read it, wherever it is kept: frames in order, then an end.

import type { Frame } from './turn-event.ts';

/** What a viewer reads. */
export interface FrameSource {
  /** After the end nothing is added: a cursor with nothing after it has seen everything. */
  readonly hasEnded: boolean;
  /** 0 while it is empty. */
  readonly lastSeq: number;
  /** The first frame after `seq`, if it is there already. */
  frameAfter(seq: number): Frame | undefined;
  /** Calls `listener` after every growth and at the end, until the returned function is called. */
  watch(listener: () => void): () => void;
}

/** A log, and where to begin in it. */
export interface TurnView {
  readonly log: FrameSource;
  readonly afterSeq: number;
  /** Idempotent. Call it when nobody reads any more. */
  release(): void;
}

export class FrameLog implements FrameSource {
  readonly epoch: number;
  readonly #frames: Frame[] = [];
  readonly #listeners = new Set<() => void>();
  #hasEnded = false;

  constructor(epoch: number) {
    this.epoch = epoch;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get lastSeq(): number {
    return this.#frames.at(-1)?.seq ?? 0;
  }

  /**
   * A producer counts without gaps, so `seq` is also a position; but the last frame may be a reaper's, whose number is
   * beyond any that the lost producer can have shown.
   */
  frameAfter(seq: number): Frame | undefined {
    const frame = this.#frames[Math.min(seq, this.#frames.length - 1)];
    return frame && frame.seq > seq ? frame : undefined;
  }

  framesAfter(seq: number): readonly Frame[] {
    return this.frameAfter(seq) ? this.#frames.slice(Math.min(seq, this.#frames.length - 1)) : [];
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  protected add(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    // Not `push(...frames)`: a log can be longer than a call may have arguments.
    for (const frame of frames) this.#frames.push(frame);
    this.#wake();
  }

  protected addOne(frame: Frame): void {
    this.#frames.push(frame);
    this.#wake();
  }

  protected finish(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}
