// The log of one running turn, in the memory of its producer: append-only, read by any number of cursors. It is the
// producer's only way to speak, and it never waits for a reader.

import { encodeFrame, type Frame, type TurnEvent } from './turn-event.ts';

export class TurnLog {
  readonly epoch: number;
  readonly #frames: Frame[] = [];
  readonly #listeners = new Set<() => void>();
  #hasEnded = false;

  constructor(epoch: number) {
    this.epoch = epoch;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** After the end nothing is appended any more: a cursor at `length` has seen everything. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get lastSeq(): number {
    return this.#frames.at(-1)?.seq ?? 0;
  }

  frameAt(cursor: number): Frame | undefined {
    return this.#frames[cursor];
  }

  /** The frames after `seq`; the producer counts without gaps, so `seq` is also a position. */
  framesAfter(seq: number): readonly Frame[] {
    return this.#frames.slice(seq);
  }

  append(event: TurnEvent): Frame {
    if (this.#hasEnded) throw new Error('an event after the end of a turn');
    const frame = encodeFrame(this.epoch, this.lastSeq + 1, event);
    this.#frames.push(frame);
    this.#wake();
    return frame;
  }

  /** Append frames that were encoded before (the last ones, which went into `finish`), and end the log. */
  end(frames: readonly Frame[]): void {
    if (this.#hasEnded) return;
    this.#frames.push(...frames);
    this.#hasEnded = true;
    this.#wake();
  }

  /** Calls `listener` after every growth and at the end, until the returned function is called. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}
