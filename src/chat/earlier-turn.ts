// The turn that an earlier send of the same idempotency key has made, as the later one follows it: wherever it runs or ran.

import type { ChatDependencies } from './chat-dependencies.ts';
import { ChatError } from './errors.ts';
import type { TurnView } from './frame-log.ts';
import { unlessExpired } from './refusals.ts';
import { replayOf } from './replay.ts';
import type { SessionKey } from './session.ts';
import { isOpen, type Turn } from './turn.ts';
import type { EventCursor } from './turn-event.ts';
import { hasEnded, viewTurn } from './view-turn.ts';

/** Between two looks at a turn that cannot be watched. */
const PAUSE_MS = 500;

export class EarlierTurn {
  readonly turnId: string;
  readonly #key: SessionKey;
  readonly #read: () => Promise<Turn>;
  readonly #deps: ChatDependencies;

  /** `read` reads the turn, and ends it when its producer is dead. */
  constructor(key: SessionKey, turnId: string, read: () => Promise<Turn>, deps: ChatDependencies) {
    this.turnId = turnId;
    this.#key = key;
    this.#read = read;
    this.#deps = deps;
  }

  /** As it is now. */
  current(): Promise<Turn> {
    return this.#read();
  }

  /** Once it has ended, however long that takes. Fails with `draining` when this replica cannot wait for it. */
  async ended(): Promise<Turn> {
    for (let looks = 1; ; looks += 1) {
      const turn = await this.#read();
      if (!isOpen(turn)) return turn;
      if (looks > 1 && this.#deps.running.isDraining)
        throw new ChatError('draining', 'This replica is being shut down. Send the message again.');
      const view = await this.#view().catch(unlessExpired);
      if (view) await hasEnded(view.log).finally(() => view.release());
      // Without a log to wait for, or with one that ended before its turn.
      if (!view || looks > 1) await this.#pause();
    }
  }

  /**
   * Its events after the cursor, always to the last one. Without a cursor they are made again from its record when they are
   * gone. With one that is `log_expired`, wherever it stands: nobody knows any more which pieces came after it. The whole
   * would tell twice what was seen, and the last event alone would pass what was seen for all there was. Who comes back has
   * not seen the last event, and can have missed some; told so, it reads the turn, or asks again without a cursor.
   */
  async view(cursor?: EventCursor): Promise<TurnView> {
    if (cursor) return (await this.#view(cursor)) ?? this.#lastEvent();
    return this.#whole();
  }

  async #whole(): Promise<TurnView> {
    return (await this.#view().catch(unlessExpired)) ?? replayOf(await this.#read());
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#deps.clock.after(PAUSE_MS, resolve);
    return promise;
  }

  #view(cursor?: EventCursor): Promise<TurnView | undefined> {
    return viewTurn(this.#key, { turnId: this.turnId, ...(cursor ? { cursor } : {}) }, this.#read, this.#deps);
  }

  /** For who has seen everything: a send is answered to its last event. */
  async #lastEvent(): Promise<TurnView> {
    const whole = await this.#whole();
    return { ...whole, afterSeq: whole.log.lastSeq - 1 };
  }
}
