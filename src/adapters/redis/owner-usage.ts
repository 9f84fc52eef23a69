// What an owner's turns have used, by month. The sums live on another slot than the sessions, so a turn is added after it has
// ended; once, however often that is tried, since the turns that were added lately are remembered beside the sums.

import { hash } from 'node:crypto';
import { asChatError } from '../../chat/errors.ts';
import type { SessionKey } from '../../chat/session.ts';
import type { FinishTurn } from '../../chat/turn-store.ts';
import { monthOfEpoch, type UsageSums } from '../../chat/usage-sums.ts';
import { Errands } from './errands.ts';
import { aMoment, Gathered } from './gathered.ts';
import { countedTurnsKey, ownerUsageKey } from './keys.ts';
import type { RedisArgument, RedisConnection } from './redis-connection.ts';
import { SCRIPTS } from './scripts.ts';
import { sumsOf, tokensOf, USAGE_FIELDS } from './usage-fields.ts';

/** Much longer than an end is brought to the store, and its count after it. */
const REMEMBERED_MS = 3_600_000;
/** More turns of one owner than end while one of them is tried again. */
const REMEMBERED_MAX = 10_000;

interface CountedTurn {
  readonly month: string;
  readonly args: readonly RedisArgument[];
}

export class OwnerUsage {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #ttlMs: number;
  readonly #errands = new Errands();
  readonly #ended = new Gathered<CountedTurn>(aMoment, (owner, turns) => this.#countAll(owner, turns));

  constructor(redis: RedisConnection, prefix: string, ttlMs: number) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#ttlMs = ttlMs;
  }

  /** For a turn whose end the store has taken, now or before. Without waiting, for the hot path: a moment later, with others. */
  countSoon({ owner, sessionId }: SessionKey, turn: Pick<FinishTurn, 'epoch' | 'state' | 'usage'>): void {
    const { epoch, state, usage } = turn;
    if (!usage) return;
    const name = nameOf(sessionId, epoch);
    this.#ended.add(owner, name, { month: monthOfEpoch(epoch), args: [name, state, ...tokensOf(usage)] });
  }

  async read(owner: string, month: string): Promise<UsageSums> {
    this.#ended.flushOf(owner);
    const sums = ownerUsageKey(this.#prefix, owner, month);
    return sumsOf((await this.#redis.call('HMGET', sums, ...USAGE_FIELDS)) as unknown[]);
  }

  /** Waits for what was left to do later, for as long as a command may take. */
  settle(): Promise<void> {
    this.#ended.flush();
    return this.#errands.settle();
  }

  #countAll(owner: string, turns: readonly CountedTurn[]): void {
    for (const [month, ofMonth] of Map.groupBy(turns, (turn) => turn.month)) {
      const keys = [ownerUsageKey(this.#prefix, owner, month), countedTurnsKey(this.#prefix, owner)];
      const count = (some: readonly CountedTurn[]) => {
        const args = [this.#ttlMs, REMEMBERED_MS, REMEMBERED_MAX, ...some.flatMap((turn) => turn.args)];
        return this.#redis.run(SCRIPTS.count, keys, args);
      };
      this.#errands.insist(() => count(ofMonth).catch((error) => this.#countEach(error, ofMonth, count)));
    }
  }

  /** A sum that overflows is refused, and with it those behind it: each on its own then. */
  #countEach(
    error: unknown,
    turns: readonly CountedTurn[],
    count: (some: readonly CountedTurn[]) => Promise<unknown>,
  ): void {
    if (turns.length === 1 || asChatError(error).code === 'store_unavailable') throw error;
    for (const turn of turns) this.#errands.insist(() => count([turn]));
  }
}

/** Digested: a deletion leaves nothing of the session, not even its id, which its owner may have chosen. */
function nameOf(sessionId: string, epoch: number): string {
  return hash('sha256', `${sessionId}/${epoch}`, 'base64url').slice(0, 22);
}
