// The turns of sessions in memory: a part of the store.

import type { BeginTurn, Begun, Idempotency, LeaveLine, Recalled } from '../../chat/claim.ts';
import type { Clock } from '../../chat/clock.ts';
import type { Encoded } from '../../chat/encoded.ts';
import { invalidPageToken, turnNotFound } from '../../chat/refusals.ts';
import type { Sealed } from '../../chat/seal.ts';
import type { Page, SessionKey } from '../../chat/session.ts';
import { type EventCursor, REAPER_SEQ } from '../../chat/turn-event.ts';
import type { Keep } from '../../chat/turn-machine.ts';
import type {
  Appended,
  CancelRequest,
  EventBatch,
  Finished,
  FinishTurn,
  ReapTurn,
  Renewed,
  StoredTurn,
  TurnStore,
} from '../../chat/turn-store.ts';
import type { UsageSums } from '../../chat/usage-sums.ts';
import { Doorbells } from './doorbells.ts';
import { type LedgerRules, recall } from './memory-ledger.ts';
import { checkSeal, eventsAfter, type MemorySession } from './memory-session.ts';
import { append, begin, finish, leave, letGo, reap, renew, requestCancel } from './memory-turns.ts';
import { OwnerUsage } from './owner-usage.ts';
import { SessionShelf } from './session-shelf.ts';

/** Members of the port; promises and errors are described there. */
export class MemoryTurnStore implements TurnStore {
  protected readonly clock: Clock;
  protected readonly shelf: SessionShelf;
  protected readonly usage = new OwnerUsage();
  protected readonly doorbells = new Doorbells();
  protected tellCancel: (request: CancelRequest) => void = () => undefined;
  protected lastEpoch = 0;
  readonly #rules: LedgerRules;

  constructor(clock: Clock, rules: LedgerRules) {
    this.clock = clock;
    this.#rules = rules;
    this.shelf = new SessionShelf(clock);
  }

  async recall(key: SessionKey, idempotency: Idempotency & Sealed): Promise<Recalled | undefined> {
    const session = this.shelf.get(key);
    checkSeal(session, idempotency);
    return recall(session, idempotency, this.clock.now());
  }

  async begin(key: SessionKey, turn: BeginTurn): Promise<Begun> {
    const session = this.shelf.get(key);
    checkSeal(session, turn);
    const begun = begin(session, turn, this.clock.now());
    if (begun.outcome !== 'begun') return begun;
    this.lastEpoch = Math.max(this.lastEpoch, begun.epoch);
    this.#stepped(key, session);
    return begun;
  }

  async letGo(key: SessionKey, turn: Pick<BeginTurn, 'turnId' | 'attempt'>): Promise<void> {
    const session = this.shelf.find(key);
    if (session) letGo(session, turn);
    this.doorbells.ring(key);
  }

  async leave(key: SessionKey, turn: LeaveLine): Promise<boolean> {
    const session = this.shelf.get(key);
    checkSeal(session, turn);
    if (!leave(session, turn, this.#rules, this.clock.now())) return false;
    this.doorbells.ring(key);
    return true;
  }

  async append(key: SessionKey, epoch: number, { sealId, ...batch }: EventBatch & Sealed): Promise<Appended> {
    const session = this.shelf.find(key);
    if (!session) return { outcome: 'gone' };
    checkSeal(session, { sealId });
    const appended = append(session, epoch, batch);
    if (appended.outcome !== 'appended') return appended;
    this.doorbells.ring(key, 'frames');
    return this.doorbells.hears(key) ? { ...appended, isWatched: true } : appended;
  }

  async finish(key: SessionKey, turn: FinishTurn): Promise<Finished> {
    const session = this.shelf.find(key);
    if (!session) return { outcome: 'gone' };
    checkSeal(session, turn);
    const { used } = session;
    const finished = finish(session, turn, this.#rules);
    // Not for a resend, which adds nothing.
    if (session.used !== used) this.usage.count(key.owner, turn);
    if (finished.outcome === 'finished') this.#stepped(key, session);
    return finished;
  }

  async renew(key: SessionKey, epoch: number, leaseMs: number): Promise<Renewed> {
    const session = this.shelf.find(key);
    return session ? renew(session, epoch, leaseMs, this.clock.now()) : { outcome: 'gone' };
  }

  async requestCancel(key: SessionKey, turnId: string, keep: Keep): Promise<boolean> {
    const session = this.shelf.get(key);
    if (!session.turns.has(turnId)) throw turnNotFound();
    const kept = requestCancel(session, turnId, keep);
    if (kept) queueMicrotask(() => this.tellCancel({ key, epoch: session.epoch, keep: kept }));
    return kept !== undefined;
  }

  onCancel(listener: (request: CancelRequest) => void): void {
    this.tellCancel = listener;
  }

  async reap(key: SessionKey, turn: ReapTurn): Promise<boolean> {
    const session = this.shelf.find(key);
    if (!session) return false;
    checkSeal(session, turn);
    if (!reap(session, turn, this.#rules, this.clock.now())) return false;
    this.#stepped(key, session);
    return true;
  }

  async readTurn(key: SessionKey, turnId: string): Promise<StoredTurn> {
    const turn = storedTurn(this.shelf.get(key), turnId);
    if (!turn) throw turnNotFound();
    return turn;
  }

  async listTurns(key: SessionKey, pageSize: number, pageToken?: string): Promise<Page<StoredTurn>> {
    const before = pageToken === undefined ? Number.POSITIVE_INFINITY : placeIn(pageToken);
    const session = this.shelf.get(key);
    // Of all that are kept: a few references, of a ledger that is never long.
    const older = [...session.turns].filter(([, { place }]) => place < before).reverse();
    const page = older.slice(0, pageSize);
    const items = page.map(([turnId]) => storedTurn(session, turnId)).filter((turn) => turn !== undefined);
    const last = page.at(-1)?.[1];
    return last && older.length > pageSize ? { items, nextPageToken: `turn-${last.place}` } : { items };
  }

  async readQuestion(key: SessionKey, turnId: string): Promise<Encoded | undefined> {
    return this.shelf.find(key)?.questions.get(turnId);
  }

  async readUsage(key: SessionKey): Promise<UsageSums> {
    return this.shelf.get(key).used;
  }

  async epochOf(key: SessionKey, turnId: string): Promise<number> {
    const epoch = this.shelf.get(key).turns.get(turnId)?.epoch;
    if (epoch === undefined) throw turnNotFound();
    return epoch;
  }

  async readFrames(key: SessionKey, epoch: number, afterSeq: number): Promise<readonly EventBatch[]> {
    return eventsAfter(this.shelf.find(key), { epoch, seq: afterSeq }).filter((batch) => batch.epoch === epoch);
  }

  async readEvents(key: SessionKey, after: EventCursor) {
    return eventsAfter(this.shelf.find(key), after);
  }

  async cursorNow(key: SessionKey): Promise<EventCursor> {
    const { epoch, running } = this.shelf.get(key);
    return { epoch, seq: running ? 0 : REAPER_SEQ };
  }

  /** A turn has taken a step. */
  #stepped(key: SessionKey, session: MemorySession): void {
    this.shelf.touch(key, session);
    this.doorbells.ring(key);
  }
}

function storedTurn({ turns, fullRecords }: MemorySession, turnId: string): StoredTurn | undefined {
  const turn = turns.get(turnId);
  return turn && { turnId, record: fullRecords.get(turnId) ?? turn.record, isSuperseded: turn.isSuperseded === true };
}

function placeIn(token: string): number {
  const match = /^turn-(\d{1,15})$/.exec(token);
  if (!match) throw invalidPageToken();
  return Number(match[1]);
}
