// A session: configuration, lifetime and the numbers that clients read. The history itself is read page by page.

import type { Message } from './content.ts';
import type { Example, Usage } from './language-model.ts';
import { type GenerationSettings, SETTING_NAMES } from './settings.ts';

/** Where a session lives: an owner sees only its own. The owner is part of the address, never compared afterwards. */
export interface SessionKey {
  readonly owner: string;
  readonly sessionId: string;
}

export const METADATA_PAIRS_MAX = 32;

const MODEL_ID = '[A-Za-z0-9@_-]+(?:\\.[A-Za-z0-9@_-]+)*';
/** Ids, publisher paths and endpoint paths; nothing that could change where a request goes. */
export const MODEL_PATTERN = `^(?:${MODEL_ID}|publishers/${MODEL_ID}/models/${MODEL_ID}|projects/${MODEL_ID}/(?:locations/[a-z0-9-]+/)?(?:publishers/${MODEL_ID}/models|endpoints)/${MODEL_ID})$`;

/** How much of the history is sent with a question. What is stored stays whole. */
export interface ContextWindow {
  /** Of the history, and the new question. */
  readonly maxMessages?: number;
  /** Of the whole request, as far as they can be estimated. */
  readonly maxTokens?: number;
  readonly onOverflow: 'reject' | 'trimOldest';
}

/** As a caller gives it. */
export type GivenWindow = { readonly [K in keyof ContextWindow]?: ContextWindow[K] | null };

/** What a caller can set, and change with PATCH. */
export interface SessionConfig extends GenerationSettings {
  readonly displayName?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly model: string;
  readonly context?: string;
  readonly examples?: readonly Example[];
  readonly contextWindow?: ContextWindow;
  /** Once so many tokens are spent, no turn begins any more. */
  readonly tokenBudget?: number;
}

export interface Session extends SessionConfig {
  readonly id: string;
  readonly ttl: number;
  readonly createTime: string;
  readonly updateTime: string;
  readonly expireTime: string;
  /** Grows by one with every change of history or configuration. */
  readonly version: number;
  readonly messageCount: number;
  readonly activeTurnId?: string;
  readonly usage: Usage;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken?: string;
}

export type MessageOrder = 'asc' | 'desc';

/** What a caller gives at creation. `model` may be left to the service's default. */
export interface NewSession extends Omit<SessionConfig, 'model' | 'contextWindow'> {
  readonly id?: string;
  readonly model?: string;
  readonly contextWindow?: GivenWindow;
  readonly ttl?: number;
  readonly messageHistory?: readonly Pick<Message, 'author' | 'parts'>[];
}

/** The last message that stays, or how many stay. */
export type RewindTarget = { readonly toMessageId: string } | { readonly toLength: number };

/** A JSON merge patch (RFC 7396) of a session; `null` removes, and for `ttl` restores the default. */
export type SessionPatch = Readonly<Record<string, unknown>>;

/** RFC 7396: objects are merged member by member, `null` removes, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const merged = new Map(Object.entries(isObject ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/** Leaves out what is `undefined`, and at creation what is `null`: both mean "not given". */
export function definedOnly<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as T;
}

export function settingsOf(config: SessionConfig): GenerationSettings {
  const settings: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) if (config[name] !== undefined) settings[name] = config[name];
  return settings;
}
