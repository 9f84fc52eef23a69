// Sessions in this process's memory: for trying the service out. The same port, the same promises, as far as one
// process can keep them.

import type { Clock } from '../../chat/clock.ts';
import { ChatError } from '../../chat/errors.ts';
import {
  invalidPageToken,
  sessionExists,
  sessionNotFound,
  turnNotFound,
  versionMismatch,
} from '../../chat/refusals.ts';
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
import { ActivityList } from './activity-list.ts';
import {
  append,
  begin,
  finish,
  type LedgerRules,
  type MemorySession,
  presentStored,
  reap,
  renew,
  touch,
} from './memory-session.ts';

export interface MemoryRules extends LedgerRules {
  /** Sessions of all owners together; the process must not run out of memory. */
  readonly sessionsMax: number;
}

interface Owned {
  readonly sessions: Map<string, MemorySession>;
  readonly activity: ActivityList;
}

export class MemorySessionStore implements SessionStore {
  readonly #clock: Clock;
  readonly #rules: MemoryRules;
  readonly #owners = new Map<string, Owned>();
  #count = 0;
  #activity = 0;
  #lastEpoch = 0;

  constructor(clock: Clock, rules: MemoryRules) {
    this.#clock = clock;
    this.#rules = rules;
  }

  async create(key: SessionKey, given: CreateSession): Promise<StoredSession> {
    const taken = this.#find(key);
    if (taken?.attempt === given.attempt) return presentStored(key.sessionId, taken);
    if (taken) throw sessionExists();
    if (this.#count >= this.#rules.sessionsMax) this.#dropExpired();
    if (this.#count >= this.#rules.sessionsMax) {
      throw new ChatError('overloaded', 'The memory of this process holds no more sessions. Use Redis.');
    }
    const session = this.#newSession(given);
    this.#add(key, session);
    return presentStored(key.sessionId, session);
  }

  async read(key: SessionKey): Promise<StoredSession> {
    return presentStored(key.sessionId, this.#get(key));
  }

  async list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    const newerThan = pageToken === undefined ? Number.POSITIVE_INFINITY : activityOf(pageToken);
    const items: StoredSession[] = [];
    let last = newerThan;
    for (const { sessionId, activity } of this.#owners.get(owner)?.activity.before(newerThan) ?? []) {
      const session = this.#find({ owner, sessionId });
      if (!session) continue;
      if (items.length === pageSize) return { items, nextPageToken: String(last) };
      items.push(presentStored(sessionId, session));
      last = activity;
    }
    return { items };
  }

  async update(key: SessionKey, change: UpdateSession): Promise<StoredSession> {
    const session = this.#get(key);
    if (session.attempt !== change.attempt) {
      if (session.version !== change.ifVersion) throw versionMismatch(session.version);
      session.config = change.config;
      session.ttlS = change.ttlS;
      session.attempt = change.attempt;
      session.version += 1;
      this.#touched(key, session);
    }
    return presentStored(key.sessionId, session);
  }

  async delete(key: SessionKey): Promise<void> {
    this.#get(key);
    this.#remove(key);
  }

  async readMessages(key: SessionKey, { start, count }: MessageRange): Promise<readonly Uint8Array[]> {
    return this.#get(key).history.slice(start, start + count);
  }

  async begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    const session = this.#get(key);
    const begun = begin(session, turn, this.#clock.now());
    if (begun.outcome !== 'begun') return begun;
    this.#lastEpoch = Math.max(this.#lastEpoch, begun.epoch);
    this.#touched(key, session);
    return begun;
  }

  async append(key: SessionKey, epoch: number, batch: EventBatch): Promise<Appended> {
    const session = this.#find(key);
    return session ? append(session, epoch, batch) : { outcome: 'gone' };
  }

  async finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    const session = this.#find(key);
    if (!session) return { outcome: 'gone' };
    const finished = finish(session, turn, this.#rules);
    if (finished.outcome === 'finished') this.#touched(key, session);
    return finished;
  }

  async renew(key: SessionKey, epoch: number, leaseMs: number) {
    const session = this.#find(key);
    return session ? renew(session, epoch, leaseMs, this.#clock.now()) : ({ outcome: 'gone' } as const);
  }

  async reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    const session = this.#find(key);
    if (!session || !reap(session, turn, this.#rules, this.#clock.now())) return false;
    this.#touched(key, session);
    return true;
  }

  async readTurn(key: SessionKey, turnId: string): Promise<Uint8Array> {
    const session = this.#get(key);
    const record = session.fullRecords.get(turnId) ?? session.turns.get(turnId)?.record;
    if (!record) throw turnNotFound();
    return record;
  }

  async readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    const log = this.#find(key)?.log ?? [];
    return log.filter((entry) => entry.epoch === epoch && entry.batch.lastSeq > afterSeq).map(({ batch }) => batch);
  }

  async isReady(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#owners.clear();
    this.#count = 0;
  }

  #newSession(given: CreateSession): MemorySession {
    const nowMs = this.#clock.now();
    // Never an epoch twice, also not for a session of a name that was used before.
    const bornEpoch = Math.max(this.#lastEpoch + 1, nowMs * 1000);
    this.#lastEpoch = bornEpoch;
    return {
      config: given.config,
      ttlS: given.ttlS,
      createTimeMs: nowMs,
      updateTimeMs: nowMs,
      expireTimeMs: nowMs + given.ttlS * 1000,
      version: 1,
      attempt: given.attempt,
      history: [...given.messages],
      historyBytes: given.messages.reduce((sum, message) => sum + message.length, 0),
      openCalls: given.openCalls,
      bornEpoch,
      epoch: bornEpoch,
      turns: new Map(),
      turnBytes: 0,
      fullRecords: new Map(),
      log: [],
      usage: { promptTokens: 0, outputTokens: 0, thoughtTokens: 0, cachedTokens: 0, totalTokens: 0 },
    };
  }

  #find({ owner, sessionId }: SessionKey): MemorySession | undefined {
    const session = this.#owners.get(owner)?.sessions.get(sessionId);
    if (session && session.expireTimeMs <= this.#clock.now()) {
      this.#remove({ owner, sessionId });
      return undefined;
    }
    return session;
  }

  #get(key: SessionKey): MemorySession {
    const session = this.#find(key);
    if (!session) throw sessionNotFound();
    return session;
  }

  #touched(key: SessionKey, session: MemorySession): void {
    touch(session, this.#clock.now());
    this.#activity += 1;
    this.#owners.get(key.owner)?.activity.note(key.sessionId, this.#activity);
  }

  #add({ owner, sessionId }: SessionKey, session: MemorySession): void {
    const owned = this.#owners.get(owner) ?? { sessions: new Map(), activity: new ActivityList() };
    this.#owners.set(owner, owned);
    owned.sessions.set(sessionId, session);
    this.#activity += 1;
    owned.activity.note(sessionId, this.#activity);
    this.#count += 1;
  }

  #remove({ owner, sessionId }: SessionKey): void {
    const owned = this.#owners.get(owner);
    if (!owned?.sessions.delete(sessionId)) return;
    owned.activity.forget(sessionId);
    this.#count -= 1;
    if (owned.sessions.size === 0) this.#owners.delete(owner);
  }

  #dropExpired(): void {
    for (const [owner, { sessions }] of this.#owners) {
      for (const sessionId of sessions.keys()) this.#find({ owner, sessionId });
    }
  }
}

function activityOf(pageToken: string): number {
  if (/^\d{1,15}$/.test(pageToken)) return Number(pageToken);
  throw invalidPageToken();
}
