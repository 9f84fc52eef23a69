// A history in its plainest form: what sessions are expected to be after every operation, by the contract alone.

import { randomUUID } from 'node:crypto';

/** How the emulator answers a question. */
export const KINDS = ['plain', 'candidates', 'blocked', 'refused', 'refusedOnce', 'call', 'stalls'] as const;
export type Kind = (typeof KINDS)[number];

export interface ModelMessage {
  readonly id: string;
  readonly author: 'user' | 'bot';
  readonly content: string;
  readonly turnId?: string;
  /** Names of the functions that it calls. */
  readonly calls: readonly string[];
}

export interface ModelTurn {
  readonly turnId: string;
  readonly kind: Kind;
  readonly question: string;
  /** What it answers. */
  readonly responses: readonly string[];
  readonly state: string;
  /** Its messages entered the history. */
  readonly hasBeenKept: boolean;
  candidates: readonly { readonly index: number; readonly text: string; readonly calls: readonly string[] }[];
  chosen: number | undefined;
  readonly regenerates?: string;
}

export interface ModelSession {
  readonly path: string;
  displayName: string | undefined;
  version: number;
  messages: readonly ModelMessage[];
  /** The turn that owns the last two messages. */
  latest: ModelTurn | undefined;
  /** The newest that has begun, when it did not commit. */
  asked: ModelTurn | undefined;
  /** All of them, committed or not. */
  readonly turns: ModelTurn[];
}

export interface Model {
  /** Of this run: the emulator remembers questions longer. */
  readonly name: string;
  sessions: ModelSession[];
  /** Every id that a message has had: none is given twice. */
  readonly ids: Set<string>;
  questions: number;
}

export function newModel(): Model {
  return { name: randomUUID(), sessions: [], ids: new Set(), questions: 0 };
}

export function newModelSession(path: string, given: Partial<ModelSession> = {}): ModelSession {
  return {
    path,
    displayName: undefined,
    version: 1,
    messages: [],
    latest: undefined,
    asked: undefined,
    turns: [],
    ...given,
  };
}

export function openCallsOf({ messages }: Pick<ModelSession, 'messages'>): readonly string[] {
  return messages.at(-1)?.calls ?? [];
}

export function same(left: readonly string[], right: readonly string[]): boolean {
  return left.toSorted().join() === right.toSorted().join();
}

/** Question and answer enter the history, or take the place of those of another turn. */
export function commit(
  session: ModelSession,
  turn: ModelTurn,
  messages: readonly [ModelMessage, ModelMessage],
  replaced: boolean,
): void {
  session.messages = [...(replaced ? session.messages.slice(0, -2) : session.messages), ...messages];
  session.version += 1;
  session.latest = turn;
  session.asked = undefined;
}

/** What the newest turn was asked can be asked again, and what the one before it was cannot. */
export function end(session: ModelSession, turn: ModelTurn): void {
  session.asked = turn;
}

/** The turn that owns the last two messages after a rewind: of its candidates the chosen one is kept. */
export function ownerOfLast(session: ModelSession): ModelTurn | undefined {
  const [question, answer] = session.messages.slice(-2);
  if (answer?.turnId === undefined || question?.turnId !== answer.turnId) return undefined;
  const turn = session.turns.find(({ turnId }) => turnId === answer.turnId);
  if (turn) turn.candidates = turn.candidates.filter(({ index }) => index === turn.chosen);
  return turn;
}

/** What a regeneration of this turn would replace, ask again, or neither. */
export function canRegenerate(session: ModelSession, turn: ModelTurn): 'replace' | 'ask' | undefined {
  if (turn === session.latest) return 'replace';
  if (turn !== session.asked) return undefined;
  const before = session.turns.find(({ turnId }) => turnId === turn.regenerates);
  if (!before || !session.messages.some(({ turnId }) => turnId === before.turnId)) return 'ask';
  return before === session.latest ? 'replace' : undefined;
}
