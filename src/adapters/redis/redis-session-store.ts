// Sessions in Redis. Each port member is one script or one read; all outcomes of scripts are translated here, once.

import { sessionExists, sessionNotFound, turnNotFound, versionMismatch } from '../../chat/refusals.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type {
  Appended,
  BeginTurn,
  Begun,
  CreateSession,
  EventBatch,
  Finished,
  FinishTurn,
  MessageRange,
  ReapTurn,
  SessionStore,
  StoredSession,
  UpdateSession,
} from '../../chat/session-store.ts';
import { allKeys, type SessionKeys, sessionKeys } from './keys.ts';
import { type RedisArgument, type RedisConfig, RedisConnection } from './redis-connection.ts';
import { SCRIPTS, type Script } from './scripts.ts';
import { SessionList } from './session-list.ts';
import { number, readStored, STORED_FIELDS, text } from './stored-session.ts';

export interface StoreRules {
  /** How long frames can be read again after their turn has ended. */
  readonly logTtlMs: number;
  /** Same while it runs; slides with every append. */
  readonly runningLogTtlMs: number;
  readonly ledgerTurnsMax: number;
  readonly ledgerBytesMax: number;
}

export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #rules: StoreRules;
  readonly #list: SessionList;

  constructor(config: RedisConfig, rules: StoreRules, onError: (error: Error) => void) {
    this.#redis = new RedisConnection(config, onError);
    this.#prefix = config.keyPrefix;
    this.#rules = rules;
    this.#list = new SessionList(this.#redis, config.keyPrefix);
  }

  async create(key: SessionKey, session: CreateSession): Promise<StoredSession> {
    const { attempt, config, ttlS, openCalls, messages } = session;
    const [outcome] = await this.#run(SCRIPTS.create, key, [attempt, config, ttlS * 1000, openCalls, ...messages]);
    if (outcome === 'EXISTS') throw sessionExists();
    return this.#readAndTouch(key);
  }

  async read(key: SessionKey): Promise<StoredSession> {
    const stored = await this.#readMeta(key);
    if (!stored) throw sessionNotFound();
    return stored;
  }

  list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    return this.#list.page(owner, pageSize, pageToken);
  }

  async update(key: SessionKey, change: UpdateSession): Promise<StoredSession> {
    const { attempt, ifVersion, config, ttlS } = change;
    const [outcome, version] = await this.#run(SCRIPTS.update, key, [attempt, ifVersion, config, ttlS * 1000]);
    if (outcome === 'GONE') throw sessionNotFound();
    if (outcome === 'MOVED') throw versionMismatch(number(version));
    return this.#readAndTouch(key);
  }

  async delete(key: SessionKey): Promise<void> {
    const [outcome, activity] = await this.#run(SCRIPTS.delete, key, []);
    if (outcome === 'GONE') throw sessionNotFound();
    this.#list.forgetSoon(key, number(activity));
  }

  async readMessages(key: SessionKey, { start, count }: MessageRange): Promise<readonly Uint8Array[]> {
    const { meta, history } = this.#keys(key);
    const [exists, messages] = await Promise.all([
      this.#redis.call('EXISTS', meta),
      count > 0 ? this.#redis.call('LRANGE', history, start, start + count - 1) : [],
    ]);
    if (exists === 0) throw sessionNotFound();
    return messages as Uint8Array[];
  }

  async begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    const { turnId, attempt, record, question, answeredCalls, leaseMs, historyLimit } = turn;
    const args = [turnId, attempt, record, question, answeredCalls, turn.ifVersion ?? '', leaseMs];
    // One round trip for both: reading a long history through the script would cost Redis three times as much.
    const [[outcome, first, second, third, ttl, count], history] = await Promise.all([
      this.#run(SCRIPTS.begin, key, [...args, historyLimit.messages, historyLimit.bytes]),
      this.#redis.call('LRANGE', this.#keys(key).history, 0, -1),
    ]);
    switch (outcome) {
      case 'OK':
        this.#list.touchSoon(key, number(third), number(ttl));
        return {
          outcome: 'begun',
          epoch: number(first),
          version: number(second),
          history: await this.#historyOf(key, number(count), history as Uint8Array[]),
        };
      case 'BUSY':
        return { outcome: 'busy', turnId: text(first), epoch: number(second), hasLease: number(third) === 1 };
      case 'EXISTS':
        return { outcome: 'turn_exists' };
      case 'MOVED':
        return { outcome: 'version_mismatch', version: number(first) };
      case 'FULL':
        return { outcome: 'history_full', messageCount: number(first) };
      case 'CALLS':
        return { outcome: 'calls_mismatch', openCalls: Buffer.from(first as Uint8Array).toString('utf8') };
      default:
        throw sessionNotFound();
    }
  }

  async append(key: SessionKey, epoch: number, batch: EventBatch): Promise<Appended> {
    const { meta, events } = this.#keys(key);
    const args = [epoch, batch.afterSeq, batch.lastSeq, batch.frames, this.#rules.runningLogTtlMs];
    const [word, seq] = await this.#redis.run(SCRIPTS.append, [meta, events], args);
    const outcome = text(word);
    if (outcome === 'OK') return { outcome: 'appended' };
    if (outcome === 'GAP') return { outcome: 'gap', lastSeq: number(seq) };
    return { outcome: outcome === 'FENCED' ? 'fenced' : 'gone' };
  }

  async finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    const { batch, usage, messages } = turn;
    const rules = this.#rules;
    const [outcome, detail, activity, ttl] = await this.#run(SCRIPTS.finish, key, [
      ...[turn.turnId, turn.epoch, batch.afterSeq, batch.lastSeq, batch.frames, rules.logTtlMs, turn.version],
      ...[turn.record, turn.fullRecord ?? '', turn.openCalls, rules.ledgerTurnsMax, rules.ledgerBytesMax],
      ...[usage?.promptTokens ?? 0, usage?.outputTokens ?? 0, usage?.thoughtTokens ?? 0],
      ...[usage?.cachedTokens ?? 0, usage?.totalTokens ?? 0],
      ...(messages ?? []),
    ]);
    switch (outcome) {
      case 'OK':
        if (activity) this.#list.touchSoon(key, number(activity), number(ttl));
        return { outcome: 'finished', version: number(detail) };
      case 'GAP':
        return { outcome: 'gap', lastSeq: number(detail) };
      case 'MOVED':
        return { outcome: 'version_moved', version: number(detail) };
      default:
        return { outcome: outcome === 'FENCED' ? 'fenced' : 'gone' };
    }
  }

  async renew(key: SessionKey, epoch: number, leaseMs: number) {
    const [outcome] = await this.#run(SCRIPTS.renew, key, [epoch, leaseMs]);
    if (outcome === 'OK') return { outcome: 'renewed' } as const;
    return { outcome: outcome === 'FENCED' ? 'fenced' : 'gone' } as const;
  }

  async reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    const { turnId, epoch, frame, record } = turn;
    const { logTtlMs, ledgerTurnsMax, ledgerBytesMax } = this.#rules;
    const args = [turnId, epoch, frame.seq, frame.bytes, record, logTtlMs, ledgerTurnsMax, ledgerBytesMax];
    const [outcome, activity, ttl] = await this.#run(SCRIPTS.reap, key, args);
    if (outcome !== 'REAPED') return false;
    this.#list.touchSoon(key, number(activity), number(ttl));
    return true;
  }

  async readTurn(key: SessionKey, turnId: string): Promise<Uint8Array> {
    const { meta, turns, newest } = this.#keys(key);
    const [exists, record, full] = await Promise.all([
      this.#redis.call('EXISTS', meta),
      this.#redis.call('HGET', turns, turnId),
      this.#redis.call('HGET', newest, turnId),
    ]);
    if (exists === 0) throw sessionNotFound();
    const found = full ?? record;
    if (!found) throw turnNotFound();
    return found as Uint8Array;
  }

  async readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    const from = `${epoch}-${afterSeq + 1}`;
    const entries = await this.#redis.call('XRANGE', this.#keys(key).events, from, `${epoch}`);
    return (entries as [Uint8Array, Uint8Array[]][]).map(([id, [, after, , frames]]) => {
      const lastSeq = Number(text(id).split('-')[1]);
      return { afterSeq: number(after), lastSeq, frames: frames ?? new Uint8Array() };
    });
  }

  async isReady(): Promise<boolean> {
    try {
      await this.#redis.call('PING');
      return true;
    } catch {
      // What is wrong has been reported by the connection itself.
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#list.settle();
    this.#redis.close();
  }

  #keys(key: SessionKey): SessionKeys {
    return sessionKeys(this.#prefix, key);
  }

  /**
   * What was read beside the script may be older than its claim (the script had to be loaded first, or was redirected):
   * then it is read again. From the claim on nobody else changes it.
   */
  async #historyOf(key: SessionKey, count: number, read: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    if (read.length === count) return read;
    return (await this.#redis.call('LRANGE', this.#keys(key).history, 0, -1)) as Uint8Array[];
  }

  /** Runs a script that takes all keys of the session; its first word comes as a string. */
  async #run(script: Script, key: SessionKey, args: readonly RedisArgument[]): Promise<[string, ...unknown[]]> {
    const [word, ...rest] = await this.#redis.run(script, allKeys(this.#keys(key)), args);
    return [text(word), ...rest];
  }

  async #readMeta(key: SessionKey): Promise<StoredSession | undefined> {
    const fields = await this.#redis.call('HMGET', this.#keys(key).meta, ...STORED_FIELDS);
    return readStored(key.sessionId, fields as (Uint8Array | null)[]);
  }

  async #readAndTouch(key: SessionKey): Promise<StoredSession> {
    const stored = await this.read(key);
    await this.#list.touch(key, stored.updateTimeMs, stored.ttlS * 1000);
    return stored;
  }
}
