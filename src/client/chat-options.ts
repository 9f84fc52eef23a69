// What can be asked for: the seed's arguments in camelCase, and what the service has beyond them.

import type { Message, Part } from '../chat/content.ts';
import type { GroundingSource } from '../chat/language-model.ts';
import type { GivenWindow, NewSession, SessionConfig } from '../chat/session.ts';
import type { SettingOverrides } from '../chat/settings.ts';

/** Whoever compiles with `exactOptionalPropertyTypes` may still hand over a variable that is undefined. */
type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Text, or parts: images, files, function responses. */
export type Question = string | readonly Part[];

export interface Waiting {
  /** Aborting it ends the wait, and the connection, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface IfMatch {
  /** The version that the session must have (`session.version`, or its ETag); fails with `version_mismatch` otherwise. */
  readonly ifMatch?: number | string | undefined;
}

/** `model` and `assistant` are understood as `bot`. */
export type HistoryMessage = { readonly author: Message['author'] | 'model' | 'assistant' } & (
  | { readonly content: string }
  | { readonly parts: readonly Part[] }
);

/** The session's own, kept on the server. */
export type StartChatOptions = Optional<Omit<NewSession, 'model' | 'messageHistory'>> & {
  /** What was said before; the last message must be the bot's. */
  readonly messageHistory?: readonly HistoryMessage[] | undefined;
};

/** Settings of this send alone: `null` clears the session's default, an absent one inherits it. */
export type SendOptions = Optional<SettingOverrides> &
  Waiting &
  IfMatch & {
    readonly candidateCount?: number | null | undefined;
    readonly groundingSource?: GroundingSource | null | undefined;
    /** Chosen here when it is not given. Fails with `turn_exists` when it is taken. */
    readonly turnId?: string | undefined;
    /** What becomes of the message while another turn of the session runs; refused by default. */
    readonly onBusy?: 'reject' | 'enqueue' | 'interrupt' | undefined;
  };

export type StreamOptions = SendOptions & {
  /** What leaving the stream means to the turn: `cancel`, as in the seed, or to `continue` without anybody reading. */
  readonly onDisconnect?: 'cancel' | 'continue' | undefined;
};

export type CancelOptions = Waiting & {
  /** Whether the text that is there already enters the history, with its question; `none` unless it is said. */
  readonly keep?: 'none' | 'partial' | undefined;
};

type Patched<T> = T extends Readonly<Record<string, string>> ? { readonly [name: string]: string | null } : T;

/** A JSON merge patch (RFC 7396): `null` removes, objects are merged member by member. */
export type SessionPatch = {
  readonly [K in keyof Omit<SessionConfig, 'contextWindow'>]?: Patched<SessionConfig[K]> | null | undefined;
} & {
  readonly contextWindow?: Optional<GivenWindow> | null | undefined;
  /** Seconds; `null` restores the default. */
  readonly ttl?: number | null | undefined;
};
