// Sessions in Redis. Each port member is one script or one read; all outcomes of scripts are translated here, once.

import { randomUUID } from 'node:crypto';
import type { BeginTurn, Begun, Idempotency, LeaveLine, Recalled } from '../../chat/claim.ts';
import { sessionExists, sessionNotFound, turnInProgress, versionMismatch } from '../../chat/refusals.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type {
  Appended,
  CancelRequest,
  CreateSession,
  EventBatch,
  Finished,
  FinishTurn,
  MessageRange,
  News,
  ReapTurn,
  Renewed,
  RewindSession,
  SessionStore,
  StoredSession,
  StoredTurn,
  UpdateSession,
  Watch,
} from '../../chat/session-store.ts';
import type { EventCursor } from '../../chat/turn-event.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import { attemptOf, Creations } from './creations.ts';
import { Doorbells } from './doorbells.ts';
import { allKeys, replicaChannel, type SessionKeys, sessionKeys } from './keys.ts';
import type { RedisConfig } from './redis-client.ts';
import { type RedisArgument, RedisConnection } from './redis-connection.ts';
import { RedisTurns, type StoreRules } from './redis-turns.ts';
import { SCRIPTS, type Script } from './scripts.ts';
import { SessionList } from './session-list.ts';
import { number, readStored, text } from './stored-session.ts';
import { readCursor, readEpoch, readEvents, readFrames, readTurn } from './stored-turn.ts';

export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #list: SessionList;
  readonly #creations: Creations;
  readonly #doorbells: Doorbells;
  /** Of this process, among all that share the sessions. */
  readonly #replica = randomUUID();
  readonly #turns: RedisTurns;

  constructor(config: RedisConfig, rules: StoreRules, onError: (error: Error) => void) {
    this.#redis = new RedisConnection(config, onError);
    this.#prefix = config.keyPrefix;
    this.#list = new SessionList(this.#redis, config.keyPrefix);
    this.#creations = new Creations(this.#redis, config.keyPrefix);
    const own = { prefix: config.keyPrefix, replica: this.#replica, rules, list: this.#list };
    this.#turns = new RedisTurns(this.#redis, own);
    this.#doorbells = new Doorbells(() => this.#redis.subscriber(), { timeoutMs: config.commandTimeoutMs, onError });
  }

  async create(key: SessionKey, session: CreateSession): Promise<StoredSession> {
    const { idempotency, config, ttlS, openCalls, messages } = session;
    const sessionId = idempotency ? await this.#creations.claim(key, idempotency) : key.sessionId;
    const claimed = { ...key, sessionId };
    const attempt = idempotency ? attemptOf(idempotency) : session.attempt;
    const [outcome] = await this.#run(SCRIPTS.create, claimed, [attempt, config, ttlS * 1000, openCalls, ...messages]);
    if (outcome === 'OK') return this.#readAndTouch(claimed);
    if (idempotency) this.#creations.forgetSoon(key.owner, attempt);
    throw sessionExists();
  }

  async read(key: SessionKey): Promise<StoredSession> {
    const stored = await readStored(this.#redis, key.sessionId, this.#keys(key).meta);
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

  async rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession> {
    const { attempt, ifVersion, length, bytesRemoved, latestTurnId = '', supersededTurnIds } = rewind;
    const args = [attempt, ifVersion, length, bytesRemoved, latestTurnId, ...supersededTurnIds];
    const [outcome, detail] = await this.#run(SCRIPTS.rewind, key, args);
    if (outcome === 'GONE') throw sessionNotFound();
    if (outcome === 'BUSY') throw turnInProgress(text(detail));
    if (outcome === 'MOVED') throw versionMismatch(number(detail));
    return this.#readAndTouch(key);
  }

  async delete(key: SessionKey): Promise<void> {
    const [outcome, activity, made, epoch, holder] = await this.#run(SCRIPTS.delete, key, []);
    if (outcome === 'GONE') throw sessionNotFound();
    if (holder) this.#turns.tellProducer(text(holder), { key, epoch: number(epoch), keep: 'none' });
    this.#list.forgetSoon(key, number(activity));
    this.#creations.forgetSoon(key.owner, text(made));
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

  begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    return this.#turns.begin(key, turn);
  }

  letGo(key: SessionKey, turn: Pick<BeginTurn, 'turnId' | 'attempt'>): Promise<void> {
    return this.#turns.letGo(key, turn);
  }

  leave(key: SessionKey, turn: LeaveLine): Promise<boolean> {
    return this.#turns.leave(key, turn);
  }

  recall(key: SessionKey, idempotency: Idempotency): Promise<Recalled | undefined> {
    return this.#turns.recall(key, idempotency);
  }

  append(key: SessionKey, epoch: number, batch: EventBatch): Promise<Appended> {
    return this.#turns.append(key, epoch, batch);
  }

  finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    return this.#turns.finish(key, turn);
  }

  renew(key: SessionKey, epoch: number, leaseMs: number): Promise<Renewed> {
    return this.#turns.renew(key, epoch, leaseMs);
  }

  reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    return this.#turns.reap(key, turn);
  }

  requestCancel(key: SessionKey, turnId: string, keep: Keep): Promise<boolean> {
    return this.#turns.requestCancel(key, turnId, keep);
  }

  onCancel(listener: (request: CancelRequest) => void): void {
    this.#doorbells.listen(replicaChannel(this.#prefix, this.#replica), (message) => {
      listener(JSON.parse(message));
    });
  }

  readTurn(key: SessionKey, turnId: string): Promise<StoredTurn> {
    return readTurn(this.#redis, this.#keys(key), turnId);
  }

  epochOf(key: SessionKey, turnId: string): Promise<number> {
    return readEpoch(this.#redis, this.#keys(key), turnId);
  }

  readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    return readFrames(this.#redis, this.#keys(key), epoch, afterSeq);
  }

  readEvents(key: SessionKey, after: EventCursor) {
    return readEvents(this.#redis, this.#keys(key), after);
  }

  cursorNow(key: SessionKey): Promise<EventCursor> {
    return readCursor(this.#redis, this.#keys(key));
  }

  watch(key: SessionKey, ring: (news: News) => void): Promise<Watch> {
    return this.#doorbells.watch(this.#keys(key).meta, ring);
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
    await Promise.all([this.#list.settle(), this.#creations.settle()]);
    this.#doorbells.close();
    this.#redis.close();
  }

  #keys(key: SessionKey): SessionKeys {
    return sessionKeys(this.#prefix, key);
  }

  /** Runs a script that takes all keys of the session; its first word comes as a string. */
  async #run(script: Script, key: SessionKey, args: readonly RedisArgument[]): Promise<[string, ...unknown[]]> {
    const [word, ...rest] = await this.#redis.run(script, allKeys(this.#keys(key)), args);
    return [text(word), ...rest];
  }

  async #readAndTouch(key: SessionKey): Promise<StoredSession> {
    const stored = await this.read(key);
    await this.#list.touch(key, stored.updateTimeMs, stored.ttlS * 1000);
    return stored;
  }
}
