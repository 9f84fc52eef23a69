// Two replicas in this process over one store in memory: turns are produced on the first and watched on the second, whose
// view of the store the test may disturb.

import type { TurnView } from '../../src/chat/frame-log.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import type { EventCursor } from '../../src/chat/turn-event.ts';
import { ask, ChatScene, type SceneOptions } from './chat-scene.ts';
import { settle } from './manual-clock.ts';
import { storeAway } from './wrapped-store.ts';

export class ViewScene {
  readonly here: ChatScene;
  readonly there: ChatScene;
  /** The store, as the second replica sees it, answers nothing. */
  isAway = false;
  /** No ring comes through to the second replica. */
  isDeaf = false;
  /** The second replica gets everything of the store but frames. */
  failsToReadFrames = false;
  /** Watches of the second replica that are open. */
  watches = 0;
  /** How often the second replica has read frames. */
  reads = 0;

  constructor(options: SceneOptions = {}) {
    this.here = new ChatScene(options);
    this.there = new ChatScene({ ...options, storeAsSeen: (store) => this.#asSeen(store) }, this.here);
  }

  get clock() {
    return this.here.clock;
  }

  /** A turn that runs on the first replica; with the id `t`, if there is none. */
  async begin(turnId = 't') {
    const turn = await this.here.open().sendMessageStreaming(ask('Hi', { turnId }));
    await settle();
    return turn;
  }

  /** A turn that has run and committed on the first replica. */
  async run(turnId: string): Promise<void> {
    const turn = await this.begin(turnId);
    this.here.model.call.text(`answer of ${turnId}`, 'STOP');
    this.here.model.call.end();
    await turn.ended;
  }

  /** The producer writes what it has said to the store. */
  async say(text: string): Promise<void> {
    this.here.model.call.text(text);
    await this.clock.advance(100);
  }

  async view(turnId = 't', cursor?: EventCursor): Promise<Reader | undefined> {
    const view = await this.there.open().view(cursor ? { turnId, cursor } : { turnId });
    return view && new Reader(view);
  }

  #asSeen(store: SessionStore): Partial<SessionStore> {
    const unlessAway = <A extends readonly unknown[], T>(member: (...args: A) => Promise<T>) => {
      return async (...args: A): Promise<T> => {
        if (this.isAway) throw storeAway();
        return member(...args);
      };
    };
    return {
      read: unlessAway((key) => store.read(key)),
      readTurn: unlessAway((key, turnId) => store.readTurn(key, turnId)),
      epochOf: unlessAway((key, turnId) => store.epochOf(key, turnId)),
      reap: unlessAway((key, turn) => store.reap(key, turn)),
      readFrames: unlessAway((key, epoch, afterSeq) => {
        this.reads += 1;
        if (this.failsToReadFrames) throw storeAway();
        return store.readFrames(key, epoch, afterSeq);
      }),
      watch: unlessAway(async (key, ring) => {
        const watch = await store.watch(key, (news) => {
          if (!this.isDeaf && !this.isAway) ring(news);
        });
        this.watches += 1;
        let isOpen = true;
        return {
          close: () => {
            if (isOpen) this.watches -= 1;
            isOpen = false;
            watch.close();
          },
        };
      }),
    };
  }
}

/** A viewer that reads everything as it comes. */
export class Reader {
  readonly view: TurnView;
  readonly #pieces: string[] = [];
  readonly #unwatch: () => void;
  #seq: number;

  constructor(view: TurnView) {
    this.view = view;
    this.#seq = view.afterSeq;
    this.#unwatch = view.log.watch(() => this.#read());
    this.#read();
  }

  get text(): string {
    return this.#pieces.join('');
  }

  get ids(): readonly string[] {
    return [...this.text.matchAll(/^id: (.*)$/gm)].map(([, id = '']) => id);
  }

  get types(): readonly string[] {
    return [...this.text.matchAll(/^event: (.*)$/gm)].map(([, type = '']) => type);
  }

  /** The visible text of candidate 0. */
  get answer(): string {
    return [...this.text.matchAll(/^event: candidate\.delta\ndata: (.*)$/gm)]
      .map(([, json = '{}']) => JSON.parse(json).text)
      .join('');
  }

  get hasEnded(): boolean {
    return this.view.log.hasEnded;
  }

  get cursor(): EventCursor {
    const [epoch, seq] = (this.ids.at(-1) ?? '').split('-').map(Number);
    return { epoch: epoch ?? 0, seq: seq ?? 0 };
  }

  leave(): void {
    this.#unwatch();
    this.view.release();
  }

  #read(): void {
    for (let frame = this.view.log.frameAfter(this.#seq); frame; frame = this.view.log.frameAfter(this.#seq)) {
      this.#pieces.push(frame.text);
      this.#seq = frame.seq;
    }
  }
}
