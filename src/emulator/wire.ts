// What a wire has to do: read what its models are asked, and write what they answer. There are two, Gemini's (gemini/) and
// the legacy one of chat-bison (predict/); everything outside of these folders is the same for both.
import type { Behaviour } from './behaviour.ts';
import type { JsonObject } from './json.ts';
import type { Route } from './route.ts';

export type Wire = {
  /** Fails with 400 when a real Vertex AI would. */
  read(body: unknown, route: Route): Asked;
};

/** A request that was understood. */
export type Asked = {
  /** The last user text, markers included. */
  readonly text: string;
  countTokens(): JsonObject;
  /**
   * What an answer that breaks must not say because it never ends, is left out; where it breaks, is not decided here.
   * Fails with 400 where only the answer shows that the request was wrong.
   */
  answer(behaviour: Behaviour): Answer;
};

/** An answer, ready to be told in either way. */
export type Answer = {
  /** The chunks of a stream, made one by one: a big answer never exists as a whole. */
  chunks(): Iterable<JsonObject>;
  /** The whole answer in one. */
  document(): JsonObject;
  /** The beginning of a chunk: something that is no JSON. */
  readonly broken: string;
};
