// Sessions in Redis. Each port member is one script or one read; all outcomes of scripts are translated here, once.

import type { Idempotency, KeptIdempotency } from '../../chat/claim.ts';
import type { ChooseCandidate, ImportMessages, MessageRange, RewindSession } from '../../chat/history-store.ts';
import type { RateWindow } from '../../chat/quotas.ts';
import { sessionExists, sessionNotFound, tooManySessions, versionMismatch } from '../../chat/refusals.ts';
import type { Seal } from '../../chat/seal.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import type { CreateSession, News, SessionStore, UpdateSession, Watch } from '../../chat/session-store.ts';
import type { StoredSession } from '../../chat/stored-session.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { attemptOf, Creations } from './creations.ts';
import { Doorbells } from './doorbells.ts';
import { sessionAddress } from './keys.ts';
import { OwnerUsage } from './owner-usage.ts';
import type { RedisConfig } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';
import { RedisHistory } from './redis-history.ts';
import { RedisQuotas } from './redis-quotas.ts';
import { RedisTurns, type StoreRules } from './redis-turns.ts';
import { SCRIPTS } from './scripts.ts';
import { SessionAccess } from './session-access.ts';
import { SessionList } from './session-list.ts';
import { number, readStored, storedNew, text } from './stored-session.ts';

export interface RedisRules extends StoreRules {
  readonly rateWindow: RateWindow;
}

export class RedisSessionStore extends RedisTurns implements SessionStore {
  /** Over the same connection. */
  readonly quotas: RedisQuotas;
  readonly #creations: Creations;
  readonly #history: RedisHistory;

  constructor(config: RedisConfig, rules: RedisRules, onError: (error: Error) => void) {
    const prefix = config.keyPrefix;
    const redis = new RedisConnection(config, onError);
    const access = new SessionAccess(redis, prefix);
    const list = new SessionList(redis, prefix);
    const usage = new OwnerUsage(redis, prefix, rules.usageTtlMs);
    const doorbells = new Doorbells(() => redis.subscriber(), { timeoutMs: config.commandTimeoutMs, onError });
    super(access, { prefix, rules, list, usage, doorbells });
    this.#creations = new Creations(redis, prefix);
    this.#history = new RedisHistory(access, list);
    this.quotas = new RedisQuotas(redis, prefix, rules.rateWindow);
  }

  async create(key: SessionKey, session: CreateSession): Promise<StoredSession> {
    const { idempotency, config, ttlS, openCalls, messages, seal } = session;
    const sessionId = idempotency ? await this.claimCreation(key, idempotency) : key.sessionId;
    const claimed = { ...key, sessionId };
    const attempt = idempotency ? attemptOf(idempotency) : session.attempt;
    await this.#admit(claimed, session, attempt);
    const [outcome, timeMs, epoch] = await this.access.run(SCRIPTS.create, claimed, [
      attempt,
      config,
      ttlS * 1000,
      openCalls,
      seal?.id ?? '',
      seal?.wrappedKey ?? '',
      ...messages,
    ]);
    if (outcome === 'MADE') {
      const times = { timeMs: number(timeMs), epoch: number(epoch) };
      return this.own.list.noted(claimed, storedNew(sessionId, session, times));
    }
    if (outcome === 'OK') return this.#readAndNote(claimed);
    if (idempotency) this.#creations.forgetSoon(key.owner, attempt);
    throw sessionExists();
  }

  async #admit(key: SessionKey, { sessionsMax, idempotency }: CreateSession, attempt: string): Promise<void> {
    if (sessionsMax === undefined || (await this.own.list.admits(key, sessionsMax))) return;
    if (idempotency) this.#creations.forgetSoon(key.owner, attempt);
    throw tooManySessions(sessionsMax);
  }

  claimCreation(key: SessionKey, idempotency: KeptIdempotency): Promise<string> {
    return this.#creations.claim(key, idempotency);
  }

  async recallCreation(owner: string, idempotency: Idempotency): Promise<StoredSession | undefined> {
    const sessionId = await this.#creations.recall(owner, idempotency);
    if (sessionId === undefined) return undefined;
    const { meta } = this.access.keys({ owner, sessionId });
    // Another one may have this id by now.
    const made = await this.access.redis.call('HGET', meta, 'made');
    if (!made || text(made) !== attemptOf(idempotency)) return undefined;
    return readStored(this.access.redis, sessionId, meta);
  }

  read(key: SessionKey): Promise<StoredSession> {
    return this.access.read(key);
  }

  list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    return this.own.list.page(owner, pageSize, pageToken);
  }

  ownerUsage(owner: string, month: string): Promise<UsageSums> {
    return this.own.usage.read(owner, month);
  }

  async update(key: SessionKey, change: UpdateSession): Promise<StoredSession> {
    const { attempt, ifVersion, config, ttlS, sealId = '' } = change;
    const args = [attempt, ifVersion, config, ttlS * 1000, sealId];
    const [outcome, version] = await this.access.run(SCRIPTS.update, key, args);
    if (outcome === 'GONE') throw sessionNotFound();
    if (outcome === 'MOVED') throw versionMismatch(number(version));
    return this.#readAndNote(key);
  }

  async rewrap(key: SessionKey, { id, wrappedKey }: Seal): Promise<void> {
    await this.access.runOn([this.access.keys(key).meta], SCRIPTS.rewrap, [id, wrappedKey]);
  }

  async delete(key: SessionKey, ifVersion?: number): Promise<void> {
    const [outcome, activity, made, epoch, holder] = await this.access.run(SCRIPTS.delete, key, [ifVersion ?? '']);
    if (outcome === 'GONE') throw sessionNotFound();
    if (outcome === 'MOVED') throw versionMismatch(number(activity));
    if (holder) this.tellProducer(text(holder), { key, epoch: number(epoch), keep: 'none' });
    this.own.list.forgetSoon(key, number(activity));
    this.#creations.forgetSoon(key.owner, text(made));
  }

  readMessages(key: SessionKey, range: MessageRange): Promise<readonly Uint8Array[]> {
    return this.#history.readMessages(key, range);
  }

  rewind(key: SessionKey, rewind: RewindSession): Promise<StoredSession> {
    return this.#history.rewind(key, rewind);
  }

  choose(key: SessionKey, choice: ChooseCandidate): Promise<StoredSession> {
    return this.#history.choose(key, choice);
  }

  importMessages(key: SessionKey, batch: ImportMessages): Promise<StoredSession> {
    return this.#history.importMessages(key, batch);
  }

  watch(key: SessionKey, ring: (news: News) => void): Promise<Watch> {
    return this.own.doorbells.watch(this.access.keys(key).meta, ring);
  }

  addressOf(key: SessionKey): string {
    return sessionAddress(key);
  }

  async isReady(): Promise<boolean> {
    try {
      await this.access.redis.call('PING');
      return true;
    } catch {
      // What is wrong has been reported by the connection itself.
      return false;
    }
  }

  async close(): Promise<void> {
    const parts = [this.own.list, this.own.usage, this.#creations, this.quotas];
    await Promise.all(parts.map((part) => part.settle()));
    this.own.doorbells.close();
    this.access.redis.close();
  }

  async #readAndNote(key: SessionKey): Promise<StoredSession> {
    return this.own.list.noted(key, await this.access.read(key));
  }
}
