// A turn that waits for its session: it holds its place in line, and becomes a running turn when it is first and nobody
// runs. Whoever ends it (a cancel, a drain, a refusal when its time has come) does so in the store; it finds out there.

import type { Holder } from './claim.ts';
import { asChatError, type ChatError } from './errors.ts';
import { encodeTurn } from './records.ts';
import type { RunningTurn } from './running-turn.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore, Watch } from './session-store.ts';
import type { Turn } from './turn.ts';
import { cancelledTurn, type EndDependencies, failedTurn } from './unproduced-turn.ts';
import { WaitingLog } from './waiting-log.ts';

/** What became of an attempt to begin. */
export type Attempted =
  | { readonly outcome: 'begun'; readonly running: RunningTurn }
  | { readonly outcome: 'waits'; readonly place: number; readonly holder: Holder }
  | { readonly outcome: 'left' };

export interface Waiting {
  readonly key: SessionKey;
  /** As QUEUED. */
  readonly turn: Turn;
  readonly place: number;
  /** Interrupts: whoever runs is asked to end. */
  readonly isInterrupting: boolean;
  readonly holder: Holder;
  readonly attempt: () => Promise<Attempted>;
  readonly readTurn: () => Promise<Turn>;
  readonly interrupt: (holder: Holder) => Promise<void>;
}

export interface WaitDependencies extends EndDependencies {
  readonly store: SessionStore;
  readonly leaseMs: number;
}

export class WaitingTurn {
  readonly turnId: string;
  readonly log: WaitingLog;
  /** Whether its viewers are told that they wait. */
  readonly isQueued: boolean;
  /** Resolves when it runs, or has ended without. Never rejects. */
  readonly begun: Promise<RunningTurn | undefined>;
  readonly ended: Promise<Turn>;
  readonly #waiting: Waiting;
  readonly #deps: WaitDependencies;
  readonly #settle: (running: RunningTurn | undefined) => void;
  readonly #end: (turn: Turn) => void;
  #watch: Watch | undefined;
  #stopTimer: (() => void) | undefined;
  #isTrying = false;
  #isDirty = false;
  #isOver = false;

  constructor(waiting: Waiting, deps: WaitDependencies) {
    const { turn, place, isInterrupting } = waiting;
    const { sessionId, turnId } = turn;
    this.#waiting = waiting;
    this.#deps = deps;
    this.turnId = turnId;
    this.isQueued = !isInterrupting;
    const queued = { type: 'turn.queued', data: { sessionId, turnId, position: place } } as const;
    this.log = new WaitingLog(isInterrupting ? undefined : queued);
    const begun = Promise.withResolvers<RunningTurn | undefined>();
    const ended = Promise.withResolvers<Turn>();
    this.begun = begun.promise;
    this.ended = ended.promise;
    this.#settle = begun.resolve;
    this.#end = ended.resolve;
  }

  get snapshot(): Turn {
    return this.#waiting.turn;
  }

  /** Called once. */
  async start(): Promise<void> {
    const { key, isInterrupting, holder, interrupt } = this.#waiting;
    try {
      const watch = await this.#deps.store.watch(key, () => this.#try());
      // It can have been cancelled meanwhile.
      if (this.#isOver) return watch.close();
      this.#watch = watch;
      if (isInterrupting && !holder.isWaiting) await interrupt(holder);
    } catch {
      // The timer tries again; the place is kept for a lease.
    }
    this.#try();
  }

  cancel(): void {
    void this.#leave(cancelledTurn(this.snapshot, this.#deps));
  }

  stop(error: ChatError): void {
    void this.#leave(failedTurn(this.snapshot, error, this.#deps));
  }

  #try(): void {
    this.#isDirty = true;
    if (!this.#isTrying) void this.#tryWhileDirty();
  }

  async #tryWhileDirty(): Promise<void> {
    this.#isTrying = true;
    while (this.#isDirty && !this.#isOver) {
      this.#isDirty = false;
      try {
        await this.#take(await this.#waiting.attempt());
      } catch (cause) {
        const error = asChatError(cause);
        if (error.code === 'store_unavailable') break;
        if (error.code === 'session_not_found') this.#conclude(cancelledTurn(this.snapshot, this.#deps));
        // Its time had come, and it was refused.
        else await this.#leave(failedTurn(this.snapshot, error, this.#deps));
      }
    }
    // In one go with the last look at the flag: a ring in between would be lost.
    this.#isTrying = false;
    this.#stopTimer?.();
    if (!this.#isOver) this.#stopTimer = this.#deps.clock.after(this.#deps.leaseMs / 4, () => this.#try());
  }

  async #take(attempted: Attempted): Promise<void> {
    switch (attempted.outcome) {
      case 'begun':
        this.#stopWaiting();
        this.log.continueWith(attempted.running.log);
        void attempted.running.ended.then(this.#end);
        this.#settle(attempted.running);
        return;
      case 'left':
        this.#conclude(await this.#waiting.readTurn());
        return;
      case 'waits':
        return;
      default:
        attempted satisfies never;
    }
  }

  async #leave(turn: ReturnType<typeof cancelledTurn>): Promise<void> {
    if (this.#isOver) return;
    const { key } = this.#waiting;
    const record = encodeTurn(turn);
    const hasLeft = await this.#deps.store
      .leave(key, { turnId: this.turnId, record, onlyIfDead: false })
      .catch(() => false);
    if (hasLeft) this.#conclude(turn);
    else this.#try();
  }

  #conclude(turn: Turn): void {
    if (this.#isOver) return;
    this.#stopWaiting();
    const { state } = turn;
    if (state === 'QUEUED' || state === 'RUNNING') this.log.end();
    else this.log.end({ ...turn, state });
    this.#end(turn);
    this.#settle(undefined);
  }

  #stopWaiting(): void {
    this.#isOver = true;
    this.#watch?.close();
    this.#stopTimer?.();
  }
}
