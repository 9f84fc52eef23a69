// The domain put together as the process does it, with a store in memory, a model that follows the test's script and a
// clock that the test moves.

import { MemoryQuotas } from '../../src/adapters/memory/memory-quotas.ts';
import { MemorySessionStore } from '../../src/adapters/memory/memory-session-store.ts';
import type { ChatDependencies, ChatLimits } from '../../src/chat/chat-dependencies.ts';
import type { ChatSession } from '../../src/chat/chat-session.ts';
import { ChatSessions } from '../../src/chat/chat-sessions.ts';
import type { Idempotency } from '../../src/chat/claim.ts';
import type { Message } from '../../src/chat/content.ts';
import type { Encoded } from '../../src/chat/encoded.ts';
import type { ChatError, Problem, TurnAddress } from '../../src/chat/errors.ts';
import { FlushSchedule } from '../../src/chat/flusher.ts';
import { FollowedTurns } from '../../src/chat/followed-turns.ts';
import { KnownSessions } from '../../src/chat/known-sessions.ts';
import { LenientQuotas } from '../../src/chat/lenient-quotas.ts';
import type { Send } from '../../src/chat/next-request.ts';
import type { Permissions } from '../../src/chat/permissions.ts';
import { Places } from '../../src/chat/places.ts';
import { RATE_WINDOW } from '../../src/chat/quotas.ts';
import { reapTurn } from '../../src/chat/reap-turn.ts';
import { decodeMessage, decodeTurn } from '../../src/chat/records.ts';
import type { RunningTurn } from '../../src/chat/running-turn.ts';
import { RunningTurns } from '../../src/chat/running-turns.ts';
import type { NewSession } from '../../src/chat/session.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import type { Turn } from '../../src/chat/turn.ts';
import type { TurnDependencies, TurnFacts, TurnLimits } from '../../src/chat/turn-plan.ts';
import { WaitingTurns } from '../../src/chat/waiting-turns.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedModel } from './scripted-model.ts';
import { wrapStore } from './wrapped-store.ts';

type SendOnce = Omit<Send, 'idempotency' | 'onBusy'>;

export const FLUSH_MS = 50;
/** For the first events. */
export const SOON_MS = 5;
export const FLUSH_BYTES = 16 * 1024;
export const LEASE_MS = 20_000;
export const FOLLOW_MS = 15_000;

export const TURN_LIMITS: TurnLimits = { turnTimeoutMs: 600_000, answerSizeMax: 100_000, finishBudgetMs: 15_000 };

export const CHAT_LIMITS: ChatLimits = {
  configBytesMax: 10_000,
  historyMessagesMax: 100,
  historyBytesMax: 100_000,
  sessionTtlS: 604_800,
  leaseMs: LEASE_MS,
  queueTurnsMax: 3,
  sessionsPerOwnerMax: 0,
};

const PERMISSIONS: Permissions = { modelListsOf: () => [], fileUris: [] };

export interface SceneOptions {
  readonly limits?: Partial<TurnLimits>;
  readonly chatLimits?: Partial<ChatLimits>;
  /** Of one owner; without it there may be as many as it wants. */
  readonly turnsMax?: number;
  /** Members of the store that this replica sees otherwise than they are. */
  readonly storeAsSeen?: (store: SessionStore) => Partial<SessionStore>;
  /** 0: nothing is known of a session that was not just read. */
  readonly knownBytesMax?: number;
  readonly quietFlushMs?: number;
}

/** One replica. Another one of the same sessions is made with `store` and `clock` of the first. */
export class ChatScene {
  readonly clock: ManualClock;
  /** As it is, whatever the replica sees of it. */
  readonly store: SessionStore;
  readonly model = new ScriptedModel();
  readonly running: RunningTurns;
  readonly followed: FollowedTurns;
  readonly sessions: ChatSessions;
  readonly facts: TurnFacts[] = [];
  isOverloaded = false;
  #ids = 0;

  constructor(
    {
      limits,
      chatLimits,
      turnsMax = 0,
      knownBytesMax = 1_000_000,
      quietFlushMs = FLUSH_MS,
      storeAsSeen = () => ({}),
    }: SceneOptions = {},
    first?: ChatScene,
  ) {
    this.clock = first?.clock ?? new ManualClock();
    const rules = { ledgerTurnsMax: 1000, ledgerBytesMax: 1e9, sessionsMax: 1000 };
    this.store = first?.store ?? new MemorySessionStore(this.clock, rules);
    const idPrefix = first ? 'other-' : 'id-';
    const deps: TurnDependencies = {
      store: wrapStore(this.store, storeAsSeen),
      model: this.model,
      // Its timer is not that of any turn.
      known: new KnownSessions(new ManualClock(), { bytesMax: knownBytesMax, idleMs: 600_000 }),
      clock: this.clock,
      newId: () => {
        this.#ids += 1;
        return `${idPrefix}${this.#ids}`;
      },
      schedule: new FlushSchedule(this.clock, {
        flushMs: FLUSH_MS,
        quietFlushMs,
        flushLength: FLUSH_BYTES,
      }),
      describe: describeProblem,
      limits: { ...TURN_LIMITS, ...limits },
      observe: (facts) => this.facts.push(facts),
    };
    this.running = new RunningTurns(deps, { leaseMs: LEASE_MS });
    this.followed = new FollowedTurns({
      store: deps.store,
      clock: this.clock,
      rules: { followMs: FOLLOW_MS },
      reap: (key, mark) => reapTurn(key, mark, deps),
    });
    const quotas = new LenientQuotas(new MemoryQuotas(this.clock, RATE_WINDOW), this.clock, () => undefined);
    const chat: ChatDependencies = {
      ...deps,
      running: this.running,
      waiting: new WaitingTurns(),
      followed: this.followed,
      chatLimits: { ...CHAT_LIMITS, ...chatLimits },
      permissions: PERMISSIONS,
      turnPlaces: new Places(
        { kind: 'turns', placesMax: turnsMax, leaseMs: LEASE_MS },
        { quotas, clock: this.clock, newId: deps.newId },
      ),
      isOverloaded: () => this.isOverloaded,
    };
    this.sessions = new ChatSessions(chat, { defaultModel: 'test-model' });
  }

  /** A new session with the id `s`. */
  async session(given: Omit<NewSession, 'id'> = {}, idempotency?: Idempotency): Promise<ChatSession> {
    await this.sessions.create('alice', { id: 's', ...given }, idempotency);
    return this.open();
  }

  open(): ChatSession {
    return this.sessions.open('alice', 's');
  }

  async history(): Promise<readonly Message[]> {
    return (await this.store.readMessages(this.open().key, { start: 0, count: 1000 })).map(decodeMessage);
  }

  /** The turn as the store has it. */
  async storedTurn(turnId: string): Promise<Turn> {
    return decodeTurn(await this.store.readTurn(this.open().key, turnId));
  }
}

export function ask(text: string, given: Partial<SendOnce> = {}): SendOnce {
  return { parts: [{ text }], overrides: {}, ...given };
}

export interface ReadEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** The events of a log, as a viewer in this process reads it. */
export function eventsOf(turn: RunningTurn): readonly ReadEvent[] {
  return parseFrames(turn.log.framesAfter(0).map(({ text }) => text));
}

/** The events of a log, as another replica reads it. */
export async function storedEvents(scene: ChatScene, turn: RunningTurn): Promise<readonly ReadEvent[]> {
  const batches = await scene.store.readFrames(turn.key, turn.epoch, 0);
  return parseFrames(batches.map(({ frames }) => frames));
}

export function typesOf(events: readonly ReadEvent[]): readonly string[] {
  return events.map(({ type }) => type);
}

function parseFrames(frames: readonly Encoded[]): readonly ReadEvent[] {
  const text = Buffer.concat(frames.map((piece) => Buffer.from(piece))).toString('utf8');
  return text.split('\n\n').flatMap((frame) => {
    const [, id, type, json] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(frame) ?? [];
    return id && type && json ? [{ id, type, data: JSON.parse(json) }] : [];
  });
}

export function describeProblem(error: ChatError, _turn: TurnAddress): Problem {
  const { code, message, retryable } = error;
  return { type: `/docs/problems#${code}`, title: code, status: 500, detail: message, code, retryable };
}
