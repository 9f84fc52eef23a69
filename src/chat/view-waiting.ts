// A turn that waits in line, here or elsewhere, as somebody else watches it: until it runs there is nothing to tell.

import type { Clock } from './clock.ts';
import { asChatError } from './errors.ts';
import type { FollowedTurns } from './followed-turns.ts';
import type { TurnView } from './frame-log.ts';
import { type EndedTurn, isEnded } from './present-turn.ts';
import { unlessExpired } from './refusals.ts';
import { replayOf } from './replay.ts';
import type { SessionKey } from './session.ts';
import type { SessionStore, Watch } from './session-store.ts';
import { isOpen, type Turn } from './turn.ts';
import type { EventCursor } from './turn-event.ts';
import { cancelledTurn } from './unproduced-turn.ts';
import { BEFORE_QUEUE, END_IN_LINE_SEQ, WaitingLog } from './waiting-log.ts';

export interface WaitingViewDependencies {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly followed: FollowedTurns;
}

/** How often it is looked at without a ring, since rings can be lost. */
const LOOK_MS = 5000;

class WaitingView {
  readonly log = new WaitingLog();
  /** As it was met. */
  readonly #turn: Turn;
  readonly #readTurn: () => Promise<Turn>;
  readonly #view: () => Promise<TurnView | undefined>;
  readonly #clock: Clock;
  #watch: Watch | undefined;
  #stopTimer: (() => void) | undefined;
  #running: TurnView | undefined;
  #isLooking = false;
  #isDirty = false;
  #isReleased = false;

  constructor(turn: Turn, readTurn: () => Promise<Turn>, view: () => Promise<TurnView | undefined>, clock: Clock) {
    this.#turn = turn;
    this.#readTurn = readTurn;
    this.#view = view;
    this.#clock = clock;
  }

  async open(key: SessionKey, store: SessionStore): Promise<void> {
    this.#watch = await store.watch(key, (news) => {
      // What the running turn says moves no line.
      if (news === 'step') void this.#look();
    });
    await this.#look();
  }

  /** Its viewer is to go on elsewhere. */
  close(): void {
    if (this.#running) return;
    this.#stopWaiting();
    this.log.end();
  }

  release(): void {
    this.#isReleased = true;
    this.#stopWaiting();
    this.log.release();
    this.#running?.release();
  }

  async #look(): Promise<void> {
    this.#isDirty = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#isDirty && !this.#isReleased && this.#watch) {
      this.#isDirty = false;
      await this.#lookOnce().catch((error) => this.#endIfGone(error));
    }
    this.#isLooking = false;
    this.#stopTimer?.();
    if (this.#watch && !this.#isReleased) this.#stopTimer = this.#clock.after(LOOK_MS, () => void this.#look());
  }

  async #lookOnce(): Promise<void> {
    const turn = await this.#readTurn();
    if (turn.state === 'QUEUED') return;
    const running = (await this.#view().catch(unlessExpired)) ?? (isOpen(turn) ? undefined : replayOf(turn));
    if (!running) return;
    this.#stopWaiting();
    if (isEnded(turn) && running.afterSeq === BEFORE_QUEUE) return this.log.end(turn);
    this.#running = running;
    this.log.continueWith(running.log);
    if (this.#isReleased) running.release();
  }

  /** To delete a session is to cancel its turns. A store that is away is looked at again. */
  #endIfGone(error: unknown): void {
    const { code } = asChatError(error);
    if (code !== 'session_not_found' && code !== 'turn_not_found') return;
    this.#stopWaiting();
    this.log.end(cancelledTurn(this.#turn, { clock: this.#clock }));
  }

  #stopWaiting(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#stopTimer?.();
  }
}

/** `view` is of the turn once it runs. Fails with `store_unavailable`. */
export async function viewWaiting(
  key: SessionKey,
  turn: Turn,
  readTurn: () => Promise<Turn>,
  view: () => Promise<TurnView | undefined>,
  { store, clock, followed }: WaitingViewDependencies,
): Promise<TurnView> {
  const waiting = new WaitingView(turn, readTurn, view, clock);
  await waiting.open(key, store);
  const leave = followed.attend(waiting);
  const release = () => {
    leave();
    waiting.release();
  };
  return { log: waiting.log, afterSeq: BEFORE_QUEUE, release };
}

/** What there is to tell of a turn that ended in line: its end alone, in the words and under the id that its sender was told. */
export function viewLeft(turn: EndedTurn, cursor: EventCursor | undefined): TurnView | undefined {
  if (cursor && cursor.seq >= END_IN_LINE_SEQ) return undefined;
  const log = new WaitingLog();
  log.end(turn);
  return { log, afterSeq: BEFORE_QUEUE, release: () => undefined };
}
