// A turn that waits for its session: it holds its place in line, and becomes a running turn when it is first and nobody
// runs. Whoever ends it (a cancel, a drain, a refusal when its time has come) does so in the store; it finds out there.

import type { Holder } from './claim.ts';
import { asChatError, ChatError, type ProblemCode } from './errors.ts';
import type { EndedTurn } from './present-turn.ts';
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
  readonly interrupt: (turnId: string) => Promise<void>;
}

export interface WaitDependencies extends EndDependencies {
  readonly store: SessionStore;
  readonly leaseMs: number;
}

/** They say nothing of whether the turn may begin. */
const NO_REFUSALS: ReadonlySet<ProblemCode> = new Set(['store_unavailable', 'overloaded', 'session_not_found']);

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
  #running: RunningTurn | undefined;
  /** The turn that was asked to end. */
  #interrupted: string | undefined;
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
    const { key, holder } = this.#waiting;
    try {
      const watch = await this.#deps.store.watch(key, (news) => {
        // What the running turn says moves no line.
        if (news === 'step') this.#try();
      });
      // It can have been cancelled meanwhile.
      if (this.#isOver) return watch.close();
      this.#watch = watch;
      await this.#interrupt(holder);
    } catch {
      // The timer tries again; the place is kept for a lease.
    }
    this.#try();
  }

  /** Resolves when the model has said its first word, or when it has ended without. Never rejects. */
  get answered(): Promise<void> {
    return this.begun.then((running) => running?.answered);
  }

  /** Whether the model has said anything. */
  get hasAnswer(): boolean {
    return this.#running?.hasAnswer === true;
  }

  cancel(): void {
    void this.#leave(cancelledTurn(this.snapshot, this.#deps)).then((left) => {
      if (left !== 'left') this.#try();
    });
  }

  /** This process has to go: it ends here, whatever the store can be told. */
  stop(error: ChatError): void {
    const turn = failedTurn(this.snapshot, error, this.#deps);
    void this.#leave(turn).then((left) => {
      // Not as what it will be found: until its lease is over it is open to everybody else.
      if (left === 'unknown') this.#conclude(failedTurn(this.snapshot, untold(), this.#deps));
      else if (left === 'no') this.#try();
    });
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
        await this.#take(await this.#attempt());
      } catch (cause) {
        // What the store does not tell or take now is tried again at a ring, or with the timer.
        if (asChatError(cause).code !== 'session_not_found') break;
        this.#conclude(cancelledTurn(this.snapshot, this.#deps));
      }
    }
    // In one go with the last look at the flag: a ring in between would be lost.
    this.#isTrying = false;
    this.#stopTimer?.();
    if (!this.#isOver) this.#stopTimer = this.#deps.clock.after(this.#deps.leaseMs / 4, () => this.#try());
  }

  /** A refusal, when its time had come or can never come, is its end, unless it had another one before. */
  async #attempt(): Promise<Attempted> {
    try {
      return await this.#waiting.attempt();
    } catch (cause) {
      const error = asChatError(cause);
      if (NO_REFUSALS.has(error.code)) throw error;
      if ((await this.#leave(failedTurn(this.snapshot, error, this.#deps))) === 'unknown') throw error;
      return { outcome: 'left' };
    }
  }

  async #take(attempted: Attempted): Promise<void> {
    switch (attempted.outcome) {
      case 'begun':
        this.#stopWaiting();
        this.#running = attempted.running;
        this.log.continueWith(attempted.running.log);
        void attempted.running.ended.then(this.#end);
        this.#settle(attempted.running);
        return;
      case 'left':
        if (!this.#isOver) this.#conclude(await this.#waiting.readTurn().catch((error) => this.#unlessGone(error)));
        return;
      case 'waits':
        if (attempted.place === 1) await this.#interrupt(attempted.holder).catch(() => undefined);
        return;
      default:
        attempted satisfies never;
    }
  }

  /** Whoever runs is asked to end, once: also who has interrupted before us. */
  async #interrupt({ turnId, isWaiting }: Holder): Promise<void> {
    const { isInterrupting, interrupt } = this.#waiting;
    if (!isInterrupting || isWaiting || this.#interrupted === turnId) return;
    this.#interrupted = turnId;
    await interrupt(turnId);
  }

  /** Its session was deleted, and another one made of the same name. */
  #unlessGone(error: unknown): Turn {
    const { code } = asChatError(error);
    if (code === 'turn_not_found') return cancelledTurn(this.snapshot, this.#deps);
    throw error;
  }

  async #leave(turn: EndedTurn): Promise<'left' | 'no' | 'unknown'> {
    if (this.#isOver) return 'no';
    const { key } = this.#waiting;
    const leaving = { turnId: this.turnId, record: encodeTurn(turn), onlyIfDead: false };
    const left = await this.#deps.store.leave(key, leaving).then(
      (hasLeft) => (hasLeft ? 'left' : 'no'),
      () => 'unknown' as const,
    );
    if (left === 'left') this.#conclude(turn);
    return left;
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

function untold(): ChatError {
  return new ChatError(
    'store_unavailable',
    'The store did not say whether the turn has left the line. It does not run.',
  );
}
