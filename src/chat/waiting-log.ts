// The log of a turn that waits for another one to end: first its place in line, then its own events, as if they had been
// there from the beginning.

import type { FrameSource } from './frame-log.ts';
import type { Turn, TurnEndState } from './turn.ts';
import { encodeFrame, type Frame, type TurnEvent, terminalEvent } from './turn-event.ts';

/** Its own events are before those of any log: their ids are of an epoch that no turn has. */
const EPOCH = 0;

/** In the id of the event by which a turn ends that never ran. */
export const END_IN_LINE_SEQ = 2;

/** Where a viewer begins who has seen nothing. */
export const BEFORE_QUEUE = -2;

export class WaitingLog implements FrameSource {
  readonly #own: Frame[] = [];
  readonly #listeners = new Set<() => void>();
  #log: FrameSource | undefined;
  #unwatch: () => void = () => undefined;
  #hasEnded = false;

  /** `queued` is told first, if there is anything to tell. */
  constructor(queued?: TurnEvent) {
    if (queued) this.#own.push({ ...encodeFrame(EPOCH, 1, queued), seq: -1 });
  }

  get hasEnded(): boolean {
    return this.#hasEnded || this.#log?.hasEnded === true;
  }

  get lastSeq(): number {
    return this.#log?.lastSeq ?? this.#own.at(-1)?.seq ?? BEFORE_QUEUE;
  }

  frameAfter(seq: number): Frame | undefined {
    return this.#own.find((frame) => frame.seq > seq) ?? this.#log?.frameAfter(Math.max(seq, 0));
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Its time has come. */
  continueWith(log: FrameSource): void {
    this.#log = log;
    this.#unwatch = log.watch(() => this.#wake());
    this.#wake();
  }

  /** It has ended in line; without a turn, this process has to go, and viewers go on elsewhere. */
  end(turn?: Turn & { readonly state: TurnEndState }): void {
    if (this.hasEnded) return;
    if (turn) this.#own.push({ ...encodeFrame(EPOCH, END_IN_LINE_SEQ, terminalEvent(turn)), seq: 0 });
    this.#hasEnded = true;
    this.#wake();
  }

  /** Nobody reads it any more. */
  release(): void {
    this.#unwatch();
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}
