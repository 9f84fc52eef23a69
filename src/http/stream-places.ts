// How many streams may be open: of an owner, over all replicas, and in this process. A stream holds its place until its connection
// or its answer has ended, whichever comes first.

import type { FastifyReply } from 'fastify';
import { ChatError } from '../chat/errors.ts';
import type { LeavePlace, Places } from '../chat/places.ts';

export class StreamPlaces {
  readonly #ofOwners: Places;
  readonly #streamsMax: number;
  #open = 0;

  /** `streamsMax`: in this process; 0 for as many as come. */
  constructor(ofOwners: Places, streamsMax: number) {
    this.#ofOwners = ofOwners;
    this.#streamsMax = streamsMax;
  }

  /** Fails with `overloaded` when this process has no place, with `rate_limited` when the owner has none. */
  async take(owner: string, reply: FastifyReply): Promise<void> {
    if (this.#streamsMax > 0 && this.#open >= this.#streamsMax) {
      throw new ChatError('overloaded', `This replica has ${this.#streamsMax} open streams, and takes no more.`);
    }
    if (reply.raw.destroyed) return;
    this.#open += 1;
    let leave: LeavePlace | undefined;
    let isOver = false;
    // Not when the route is done: it may be waiting for the model while its client has gone.
    reply.raw.once('close', () => {
      isOver = true;
      this.#open -= 1;
      leave?.();
    });
    leave = await this.#ofOwners.take(owner);
    if (isOver) leave();
  }
}
