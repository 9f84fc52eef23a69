// The steps of a turn in Redis: each is one script, whose outcomes are translated here, once.

import { randomUUID } from 'node:crypto';
import type { BeginTurn, Begun, Idempotency, LeaveLine, Recalled } from '../../chat/claim.ts';
import { parseAsWritten } from '../../chat/json-as-written.ts';
import { sessionNotFound, turnNotFound } from '../../chat/refusals.ts';
import type { Sealed } from '../../chat/seal.ts';
import type { SessionKey } from '../../chat/session.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type {
  Appended,
  CancelRequest,
  EventBatch,
  Finished,
  FinishTurn,
  ReapTurn,
  Renewed,
  TurnStore,
} from '../../chat/turn-store.ts';
import type { Doorbells } from './doorbells.ts';
import { replicaChannel } from './keys.ts';
import { notBegun } from './not-begun.ts';
import type { OwnerUsage } from './owner-usage.ts';
import { RedisTurnReads } from './redis-turn-reads.ts';
import { SCRIPTS } from './scripts.ts';
import { isSeen } from './seen-history.ts';
import type { SessionAccess } from './session-access.ts';
import type { SessionList } from './session-list.ts';
import { number, text } from './stored-session.ts';
import { tokensOf } from './usage-fields.ts';

export interface StoreRules {
  /** How long frames can be read again after their turn has ended. */
  readonly logTtlMs: number;
  /** Same while it runs; slides with every append. */
  readonly runningLogTtlMs: number;
  readonly ledgerTurnsMax: number;
  readonly ledgerBytesMax: number;
  /** How long an owner's sums of a month are kept, from the last turn on that was added. */
  readonly usageTtlMs: number;
}

export interface TurnsOwn {
  readonly prefix: string;
  readonly rules: StoreRules;
  readonly list: SessionList;
  readonly usage: OwnerUsage;
  readonly doorbells: Doorbells;
}

/** Members of the port; promises and errors are described there. */
export class RedisTurns extends RedisTurnReads implements TurnStore {
  protected readonly own: TurnsOwn;
  /** Of this process, among all that share the sessions. */
  readonly #replica = randomUUID();

  constructor(access: SessionAccess, own: TurnsOwn) {
    super(access);
    this.own = own;
  }

  async begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    const { turnId, attempt, record, question, answeredCalls, leaseMs, historyLimit } = turn;
    const args = [turnId, attempt, record, question, answeredCalls, turn.ifVersion ?? '', leaseMs];
    const limits = [historyLimit.messages, historyLimit.bytes];
    const line = [turn.onBusy, turn.line.places, turn.line.record];
    const again = [turn.again?.turnId ?? '', turn.again?.isReplaced ? 1 : 0, turn.tokenBudget ?? ''];
    const { key: named = '', fingerprint = '', ttlMs = 0 } = turn.idempotency ?? {};
    // One round trip for both: reading a long history through the script would cost Redis three times as much. Who waits
    // asks often, and mostly in vain.
    const comesAlong = turn.onBusy !== 'waiting' && !turn.seen;
    const [reply, history] = await Promise.all([
      this.access.run(SCRIPTS.begin, key, [
        ...args,
        ...limits,
        this.#replica,
        named,
        fingerprint,
        ttlMs,
        ...line,
        ...again,
        turn.seen ? `${turn.seen.epoch} ${turn.seen.version}` : '',
        turn.sealId ?? '',
      ]),
      comesAlong ? this.#readHistory(key, turn) : [],
    ]);
    const [outcome, epoch, version, activity, ttl, count, last] = reply;
    if (outcome !== 'OK') return notBegun(reply);
    this.own.list.touchSoon(key, number(activity), number(ttl));
    const begun = { outcome: 'begun', epoch: number(epoch), version: number(version) } as const;
    if (turn.seen) return begun;
    const isNow = isSeen(history, number(count), text(last));
    return { ...begun, history: isNow ? history : await this.#readHistory(key, turn) };
  }

  async letGo(key: SessionKey, { turnId, attempt }: Pick<BeginTurn, 'turnId' | 'attempt'>): Promise<void> {
    await this.access.run(SCRIPTS.letGo, key, [turnId, attempt]);
  }

  async leave(key: SessionKey, { turnId, record, onlyIfDead, sealId = '' }: LeaveLine): Promise<boolean> {
    const { ledgerTurnsMax, ledgerBytesMax } = this.own.rules;
    const args = [turnId, record, onlyIfDead ? 1 : 0, ledgerTurnsMax, ledgerBytesMax, sealId];
    const [outcome] = await this.access.run(SCRIPTS.leave, key, args);
    if (outcome === 'GONE') throw sessionNotFound();
    return outcome === 'LEFT';
  }

  async recall(key: SessionKey, idempotency: Idempotency & Sealed): Promise<Recalled | undefined> {
    const { meta, idem } = this.access.keys(key);
    const args = [idempotency.key, idempotency.fingerprint, idempotency.sealId ?? ''];
    const [outcome, turnId] = await this.access.runOn([meta, idem], SCRIPTS.recall, args);
    switch (outcome) {
      case 'SAME':
        return { outcome: 'repeated', turnId: text(turnId) };
      case 'OTHER':
        return { outcome: 'idempotency_mismatch' };
      case 'NEW':
        return undefined;
      default:
        throw sessionNotFound();
    }
  }

  async append(key: SessionKey, epoch: number, batch: EventBatch & Sealed): Promise<Appended> {
    const { meta, events } = this.access.keys(key);
    const { afterSeq, lastSeq, frames, sealId = '' } = batch;
    const args = [epoch, afterSeq, lastSeq, frames, this.own.rules.runningLogTtlMs, sealId];
    const [outcome, detail, watching] = await this.access.runOn([meta, events], SCRIPTS.append, args);
    if (outcome === 'OK') {
      return { outcome: 'appended', ...cancelOf(detail), ...(number(watching) > 0 ? { isWatched: true } : {}) };
    }
    if (outcome === 'GAP') return { outcome: 'gap', lastSeq: number(detail) };
    return { outcome: outcome === 'FENCED' ? 'fenced' : 'gone' };
  }

  async finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    const { batch, usage, messages } = turn;
    const rules = this.own.rules;
    const [outcome, detail, activity, ttl] = await this.access.run(SCRIPTS.finish, key, [
      ...[turn.turnId, turn.epoch, batch.afterSeq, batch.lastSeq, batch.frames, rules.logTtlMs, turn.version],
      ...[turn.record, turn.fullRecord ?? '', turn.openCalls, rules.ledgerTurnsMax, rules.ledgerBytesMax],
      ...tokensOf(usage),
      ...[usage ? turn.state : '', turn.replacedTurnId ?? ''],
      ...[...(messages ?? []), turn.sealId ?? ''],
    ]);
    switch (outcome) {
      case 'OK':
        if (activity) this.own.list.touchSoon(key, number(activity), number(ttl));
        // Also after a resend: the answer to the first one may have been lost, and with it this errand.
        this.own.usage.countSoon(key, turn);
        return { outcome: 'finished', version: number(detail) };
      case 'GAP':
        return { outcome: 'gap', lastSeq: number(detail) };
      case 'MOVED':
        return { outcome: 'version_moved', version: number(detail) };
      default:
        return { outcome: outcome === 'FENCED' ? 'fenced' : 'gone' };
    }
  }

  async renew(key: SessionKey, epoch: number, leaseMs: number): Promise<Renewed> {
    const [outcome, cancel] = await this.access.run(SCRIPTS.renew, key, [epoch, leaseMs]);
    if (outcome === 'OK') return { outcome: 'renewed', ...cancelOf(cancel) };
    return { outcome: outcome === 'FENCED' ? 'fenced' : 'gone' };
  }

  async requestCancel(key: SessionKey, turnId: string, keep: Keep): Promise<boolean> {
    const { meta, turns } = this.access.keys(key);
    const [outcome, epoch, holder, kept] = await this.access.runOn([meta, turns], SCRIPTS.cancel, [turnId, keep]);
    switch (outcome) {
      case 'ASKED':
        this.tellProducer(text(holder), { key, epoch: number(epoch), keep: text(kept) as Keep });
        return true;
      case 'OVER':
        return false;
      case 'NONE':
        throw turnNotFound();
      default:
        throw sessionNotFound();
    }
  }

  /** Only to be quick: the turn is told by the store in any case. */
  protected tellProducer(holder: string, request: CancelRequest): void {
    const channel = replicaChannel(this.own.prefix, holder);
    this.access.redis.call('SPUBLISH', channel, JSON.stringify(request)).catch(() => undefined);
  }

  onCancel(listener: (request: CancelRequest) => void): void {
    const channel = replicaChannel(this.own.prefix, this.#replica);
    this.own.doorbells.listen(channel, (message) => listener(parseAsWritten(message) as CancelRequest));
  }

  async reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    const { turnId, epoch, frame, seq, record, sealId = '' } = turn;
    const { logTtlMs, ledgerTurnsMax, ledgerBytesMax } = this.own.rules;
    const args = [turnId, epoch, seq, frame, record, logTtlMs, ledgerTurnsMax, ledgerBytesMax, sealId];
    const [outcome, activity, ttl] = await this.access.run(SCRIPTS.reap, key, args);
    if (outcome !== 'REAPED') return false;
    this.own.list.touchSoon(key, number(activity), number(ttl));
    return true;
  }

  /**
   * As the turn has to see it. What was read beside the script may be older than its claim (the script had to be loaded
   * first, or was redirected): then it is read again. From the claim on nobody else changes it.
   */
  async #readHistory(key: SessionKey, { again }: BeginTurn): Promise<readonly Uint8Array[]> {
    const { history } = this.access.keys(key);
    return (await this.access.redis.call('LRANGE', history, 0, again?.isReplaced ? -3 : -1)) as Uint8Array[];
  }
}

/** The last word of a script that tells a producer to end its turn. */
function cancelOf(word: unknown): { readonly cancel?: Keep } {
  return word ? { cancel: text(word) as Keep } : {};
}
