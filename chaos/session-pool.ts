// The sessions that all clients of a run talk to. A session that was deleted, or has become long, is followed by another.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './random.ts';
import type { ServiceApi } from './service-api.ts';

const RECENT_TURNS = 6;
const CREATE_TRIES = 200;

export interface ChatSlot {
  readonly number: number;
  sessionId: string;
  /** Resolves when it can be used. */
  ready: Promise<void>;
  recentTurns: string[];
  messages: number;
}

export class SessionPool {
  readonly slots: readonly ChatSlot[];
  readonly #api: ServiceApi;
  readonly #runId: string;
  #made = 0;

  constructor(api: ServiceApi, runId: string, count: number, random: Random) {
    this.#api = api;
    this.#runId = runId;
    this.slots = Array.from({ length: count }, (_, number) => this.#slot(number, random.named(`slot-${number}`)));
  }

  /** The sessions that nobody has tried to delete. */
  get sessionIds(): readonly string[] {
    return this.slots.map(({ sessionId }) => sessionId);
  }

  noteTurn(slot: ChatSlot, turnId: string): void {
    slot.recentTurns = [...slot.recentTurns, turnId].slice(-RECENT_TURNS);
  }

  /** Deletes the session of a slot and makes its next one. Those who are at it will see it go. */
  async replace(slot: ChatSlot, client: string, random: Random): Promise<void> {
    const { sessionId } = slot;
    this.#renew(slot, random);
    await this.#api.remove({ client, sessionId, replica: random.whole(0, this.#api.replicas - 1) });
  }

  #slot(number: number, random: Random): ChatSlot {
    const slot: ChatSlot = { number, sessionId: '', ready: Promise.resolve(), recentTurns: [], messages: 0 };
    this.#renew(slot, random);
    return slot;
  }

  #renew(slot: ChatSlot, random: Random): void {
    this.#made += 1;
    slot.sessionId = `s${slot.number}-${this.#made}-${this.#runId}`;
    slot.recentTurns = [];
    slot.messages = 0;
    slot.ready = this.#create(slot.sessionId, random);
  }

  async #create(sessionId: string, random: Random): Promise<void> {
    for (let tries = 0; tries < CREATE_TRIES; tries += 1) {
      const replica = random.whole(0, this.#api.replicas - 1);
      if (await this.#api.create({ client: 'pool', sessionId, replica }, tries > 0)) return;
      await delay(250);
    }
  }
}
