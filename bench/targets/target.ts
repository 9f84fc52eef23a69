// What is measured: something that stands between a client and the model.

import type { Call } from '../http-client.ts';

/** One conversation at the target. Turns of it are made one after the other. */
export interface Conversation {
  /** The call that asks for a streamed answer. `question` says how the model is to answer (`upstream.ts`). */
  stream(question: string): Call;
  /** The call that asks for an answer in one piece; absent where the target has none. */
  unary?(question: string): Call;
}

/** Sessions by themselves. An answer to `create` is JSON with an `id`. */
export interface SessionCalls {
  create(): Call;
  get(id: string): Call;
  patch(id: string): Call;
  list(): Call;
  delete(id: string): Call;
}

export interface Target extends AsyncDisposable {
  readonly name: string;
  /** It may make one event of several: then it is not seen whether any is lost. */
  readonly joinsEvents?: boolean;
  /** All processes of it, the store aside. */
  readonly pids: readonly number[];
  /** Its store, if it has one. */
  readonly storePids: readonly number[];
  open(count: number): Promise<readonly Conversation[]>;
  /** Conversations in which these texts have been said, by the user and the bot in turns; absent where it keeps none. */
  openAfter?(count: number, texts: readonly string[]): Promise<readonly Conversation[]>;
  /** Absent where it has no sessions, or no such calls. */
  readonly sessions?: SessionCalls;
}

/** Starts it, in front of the model at this port. */
export type StartTarget = (modelPort: number) => Promise<Target>;
