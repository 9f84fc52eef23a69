// All turns that wait in this process.

import { ChatError } from './errors.ts';
import type { WaitingTurn } from './waiting-turn.ts';

export class WaitingTurns {
  readonly #turns = new Set<WaitingTurn>();

  get count(): number {
    return this.#turns.size;
  }

  add(turn: WaitingTurn): void {
    this.#turns.add(turn);
    void turn.begun.then(() => this.#turns.delete(turn));
    void turn.start();
  }

  /** Nobody here can begin any more. */
  drain(): void {
    for (const turn of this.#turns) {
      turn.stop(new ChatError('draining', 'The replica where the turn waited was shut down. Send the message again.'));
    }
  }
}
