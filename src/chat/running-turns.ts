// All turns that this process produces: found by session, kept alive in the store, ended when the process has to go.

import { ChatError } from './errors.ts';
import { RunningTurn } from './running-turn.ts';
import type { SessionKey } from './session.ts';
import type { Keep } from './turn-machine.ts';
import type { TurnDependencies, TurnPlan } from './turn-plan.ts';

/** When draining, a store that does not take the end of a turn is waited for no longer than this. */
const FINISH_GRACE_MS = 2000;

export interface LeaseRules {
  readonly leaseMs: number;
}

export class RunningTurns {
  readonly #deps: TurnDependencies;
  readonly #lease: LeaseRules;
  readonly #turns = new Set<RunningTurn>();
  readonly #newest = new Map<string, RunningTurn>();
  #stopRenewal: (() => void) | undefined;
  #isDraining = false;
  readonly #whenIdle: (() => void)[] = [];

  constructor(deps: TurnDependencies, lease: LeaseRules) {
    this.#deps = deps;
    this.#lease = lease;
  }

  get count(): number {
    return this.#turns.size;
  }

  /** No new turn may begin; those that run go on. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Produce a turn that has begun in the store. */
  run(plan: TurnPlan): RunningTurn {
    const turn = new RunningTurn(plan, this.#deps);
    const address = addressOf(plan.key);
    // Two turns of one session can only meet here when the older one has been taken for dead, or when its session was
    // deleted and made again: the store knows which.
    const older = this.#newest.get(address);
    if (older) void this.#renew(older);
    this.#turns.add(turn);
    this.#newest.set(address, turn);
    void turn.ended.then(() => this.#forget(address, turn));
    this.#scheduleRenewal();
    turn.start();
    // Its send was accepted just before the drain began.
    if (this.#isDraining) turn.stop(shutDown());
    return turn;
  }

  find(key: SessionKey): RunningTurn | undefined {
    return this.#newest.get(addressOf(key));
  }

  /** Somebody, perhaps on another replica, wants this turn to end. Nothing happens when it is not ours. */
  cancel(key: SessionKey, epoch: number, keep: Keep): void {
    const turn = this.find(key);
    if (turn?.epoch === epoch) turn.cancel(keep);
  }

  /**
   * Let running turns finish until the deadline, then end what is left as FAILED `draining`. Resolves when none is
   * left, which is never later than the deadline and a short grace for the store. Safe to call again.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#turns.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle.push(resolve);
    const { clock } = this.#deps;
    const stopTurns = clock.after(deadlineMs, () => {
      for (const turn of this.#turns) turn.stop(shutDown());
    });
    const giveUp = clock.after(deadlineMs + FINISH_GRACE_MS, () => {
      for (const turn of this.#turns) turn.giveUp();
    });
    await promise;
    stopTurns();
    giveUp();
  }

  #forget(address: string, turn: RunningTurn): void {
    this.#turns.delete(turn);
    if (this.#newest.get(address) === turn) this.#newest.delete(address);
    if (this.#turns.size > 0) return;
    this.#stopRenewal?.();
    this.#stopRenewal = undefined;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** One timer for all turns, four times in a lease: three renewals may be lost. */
  #scheduleRenewal(): void {
    this.#stopRenewal ??= this.#deps.clock.after(this.#lease.leaseMs / 4, () => {
      this.#stopRenewal = undefined;
      for (const turn of this.#turns) void this.#renew(turn);
      if (this.#turns.size > 0) this.#scheduleRenewal();
    });
  }

  async #renew(turn: RunningTurn): Promise<void> {
    try {
      const renewed = await this.#deps.store.renew(turn.key, turn.epoch, this.#lease.leaseMs);
      if (renewed.outcome !== 'renewed') turn.lose(renewed.outcome);
      else if (renewed.cancel) turn.cancel(renewed.cancel);
    } catch {
      // A store that does not answer is met again by the next renewal and by `finish`, which has the last word.
    }
  }
}

function shutDown(): ChatError {
  return new ChatError('draining', 'The replica that produced the turn was shut down. Send the message again.');
}

function addressOf(key: SessionKey): string {
  return JSON.stringify([key.owner, key.sessionId]);
}
