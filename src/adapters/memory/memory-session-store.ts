// Sessions in this process's memory, for trying the service out: the same promises, as far as one process can keep them.

import type { BeginTurn, Begun, Idempotency, LeaveLine, Recalled } from '../../chat/claim.ts';
import type { Clock } from '../../chat/clock.ts';
import { ChatError } from '../../chat/errors.ts';
import { sessionExists, sessionNotFound, turnNotFound, versionMismatch } from '../../chat/refusals.ts';
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
import { type EventCursor, REAPER_SEQ } from '../../chat/turn-event.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import { activityOf } from './activity-list.ts';
import { Doorbells } from './doorbells.ts';
import { rewind } from './memory-history.ts';
import { eventsAfter, type MemorySession, newSession, presentStored } from './memory-session.ts';
import {
  append,
  begin,
  finish,
  type LedgerRules,
  leave,
  letGo,
  reap,
  recall,
  renew,
  requestCancel,
} from './memory-turns.ts';
import { SessionShelf } from './session-shelf.ts';

export interface MemoryRules extends LedgerRules {
  /** Sessions of all owners together; the process must not run out of memory. */
  readonly sessionsMax: number;
}

export class MemorySessionStore implements SessionStore {
  readonly #clock: Clock;
  readonly #rules: MemoryRules;
  readonly #shelf: SessionShelf;
  readonly #doorbells = new Doorbells();
  #tellCancel: (request: CancelRequest) => void = () => undefined;
  #lastEpoch = 0;

  constructor(clock: Clock, rules: MemoryRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#shelf = new SessionShelf(clock);
  }

  async create(key: SessionKey, given: CreateSession): Promise<StoredSession> {
    const made = this.#shelf.madeBy(key.owner, given.idempotency);
    if (made) return presentStored(made.sessionId, made.session);
    const taken = this.#shelf.find(key);
    if (taken?.made === given.attempt) return presentStored(key.sessionId, taken);
    if (taken) throw sessionExists();
    if (this.#shelf.count >= this.#rules.sessionsMax) this.#shelf.dropExpired();
    if (this.#shelf.count >= this.#rules.sessionsMax) {
      throw new ChatError('overloaded', 'The memory of this process holds no more sessions. Use Redis.');
    }
    const session = this.#newSession(given);
    this.#shelf.add(key, session, given.idempotency);
    return presentStored(key.sessionId, session);
  }

  async read(key: SessionKey): Promise<StoredSession> {
    return presentStored(key.sessionId, this.#get(key));
  }

  async list(owner: string, pageSize: number, pageToken?: string): Promise<Page<StoredSession>> {
    const newerThan = pageToken === undefined ? Number.POSITIVE_INFINITY : activityOf(pageToken);
    const items: StoredSession[] = [];
    let last = newerThan;
    for (const { sessionId, activity } of this.#shelf.before(owner, newerThan)) {
      const session = this.#shelf.find({ owner, sessionId });
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
      this.#shelf.touch(key, session);
    }
    return presentStored(key.sessionId, session);
  }

  async rewind(key: SessionKey, change: RewindSession): Promise<StoredSession> {
    const session = this.#get(key);
    if (rewind(session, change)) this.#shelf.touch(key, session);
    return presentStored(key.sessionId, session);
  }

  async delete(key: SessionKey): Promise<void> {
    const { running, epoch } = this.#get(key);
    this.#shelf.remove(key);
    this.#doorbells.ring(key);
    if (running) queueMicrotask(() => this.#tellCancel({ key, epoch, keep: 'none' }));
  }

  async readMessages(key: SessionKey, { start, count }: MessageRange): Promise<readonly Uint8Array[]> {
    return this.#get(key).history.slice(start, start + count);
  }

  async recall(key: SessionKey, idempotency: Idempotency): Promise<Recalled | undefined> {
    return recall(this.#get(key), idempotency, this.#clock.now());
  }

  async begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    const session = this.#get(key);
    const begun = begin(session, turn, this.#clock.now());
    if (begun.outcome !== 'begun') return begun;
    this.#lastEpoch = Math.max(this.#lastEpoch, begun.epoch);
    this.#stepped(key, session);
    return begun;
  }

  async letGo(key: SessionKey, turn: Pick<BeginTurn, 'turnId' | 'attempt'>): Promise<void> {
    const session = this.#shelf.find(key);
    if (session) letGo(session, turn);
    this.#doorbells.ring(key);
  }

  async leave(key: SessionKey, turn: LeaveLine): Promise<boolean> {
    if (!leave(this.#get(key), turn, this.#rules, this.#clock.now())) return false;
    this.#doorbells.ring(key);
    return true;
  }

  async append(key: SessionKey, epoch: number, batch: EventBatch): Promise<Appended> {
    const session = this.#shelf.find(key);
    if (!session) return { outcome: 'gone' };
    const appended = append(session, epoch, batch);
    if (appended.outcome === 'appended') this.#doorbells.ring(key, 'frames');
    return appended;
  }

  async finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    const session = this.#shelf.find(key);
    if (!session) return { outcome: 'gone' };
    const finished = finish(session, turn, this.#rules);
    if (finished.outcome === 'finished') this.#stepped(key, session);
    return finished;
  }

  async renew(key: SessionKey, epoch: number, leaseMs: number): Promise<Renewed> {
    const session = this.#shelf.find(key);
    return session ? renew(session, epoch, leaseMs, this.#clock.now()) : { outcome: 'gone' };
  }

  async requestCancel(key: SessionKey, turnId: string, keep: Keep): Promise<boolean> {
    const session = this.#get(key);
    if (!session.turns.has(turnId)) throw turnNotFound();
    const kept = requestCancel(session, turnId, keep);
    if (kept) queueMicrotask(() => this.#tellCancel({ key, epoch: session.epoch, keep: kept }));
    return kept !== undefined;
  }

  onCancel(listener: (request: CancelRequest) => void): void {
    this.#tellCancel = listener;
  }

  async reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    const session = this.#shelf.find(key);
    if (!session || !reap(session, turn, this.#rules, this.#clock.now())) return false;
    this.#stepped(key, session);
    return true;
  }

  async readTurn(key: SessionKey, turnId: string): Promise<StoredTurn> {
    const session = this.#get(key);
    const turn = session.turns.get(turnId);
    if (!turn) throw turnNotFound();
    return { record: session.fullRecords.get(turnId) ?? turn.record, isSuperseded: turn.isSuperseded === true };
  }

  async epochOf(key: SessionKey, turnId: string): Promise<number> {
    const epoch = this.#get(key).turns.get(turnId)?.epoch;
    if (epoch === undefined) throw turnNotFound();
    return epoch;
  }

  async readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    return eventsAfter(this.#shelf.find(key), { epoch, seq: afterSeq }).filter((batch) => batch.epoch === epoch);
  }

  async readEvents(key: SessionKey, after: EventCursor) {
    return eventsAfter(this.#shelf.find(key), after);
  }

  async cursorNow(key: SessionKey): Promise<EventCursor> {
    const { epoch, running } = this.#get(key);
    return { epoch, seq: running ? 0 : REAPER_SEQ };
  }

  async watch(key: SessionKey, ring: (news: News) => void): Promise<Watch> {
    return this.#doorbells.watch(key, ring);
  }

  async isReady(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#shelf.clear();
  }

  #newSession(given: CreateSession): MemorySession {
    const nowMs = this.#clock.now();
    // Never an epoch twice, also not for a session of a name that was used before.
    const bornEpoch = Math.max(this.#lastEpoch + 1, nowMs * 1000);
    this.#lastEpoch = bornEpoch;
    return newSession(given, bornEpoch, nowMs);
  }

  #get(key: SessionKey): MemorySession {
    const session = this.#shelf.find(key);
    if (!session) throw sessionNotFound();
    return session;
  }

  /** A turn has taken a step. */
  #stepped(key: SessionKey, session: MemorySession): void {
    this.#shelf.touch(key, session);
    this.#doorbells.ring(key);
  }
}
