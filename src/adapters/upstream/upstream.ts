// The host that serves models: one pool of connections and one set of credentials, whatever wire is spoken over them.

import type { Chance } from '../../chat/clock.ts';
import { credentialsFor } from './credentials.ts';
import { type Backend, type Method, methodUrl } from './endpoint.ts';
import { JsonStreamDecoder } from './json-stream-decoder.ts';
import { parseJson, protocolError } from './parse-json.ts';
import { Transport, type TransportRules } from './transport.ts';

export interface UpstreamRules extends TransportRules {
  /** One event of a stream, in characters. */
  readonly eventSizeMax: number;
}

/** One call: a method of a model, and its request in JSON. */
export interface UpstreamCall {
  readonly model: string;
  readonly method: Method;
  readonly body: string | Uint8Array;
}

export class Upstream {
  readonly backend: Backend;
  readonly #rules: UpstreamRules;
  readonly #transport: Transport;

  constructor(backend: Backend, rules: UpstreamRules, chance: Chance) {
    this.backend = backend;
    this.#rules = rules;
    this.#transport = new Transport(credentialsFor(backend), rules, chance);
  }

  /** The project of the deployment; a stand-in has one, too, but an API key has none. */
  get project(): string | undefined {
    return this.backend.kind === 'gemini-api' ? undefined : this.backend.project;
  }

  /** The answer as one JSON value. Errors as `LanguageModel.generate`. */
  async document({ model, method, body }: UpstreamCall, signal: AbortSignal): Promise<unknown> {
    const url = methodUrl(this.backend, model, method);
    const bytes = await this.#transport.fetchBody(url, body, signal);
    return parseJson(textOf(bytes));
  }

  /**
   * Takes the JSON values of a streamed answer, one by one, as they come; resolves at its end. Errors as `LanguageModel.stream`;
   * what `take` throws ends the call, and closes the socket.
   */
  async values(
    { model, method, body }: UpstreamCall,
    signal: AbortSignal,
    take: (value: unknown) => void,
  ): Promise<void> {
    const url = methodUrl(this.backend, model, method);
    let isAlive = false;
    const decoder = new JsonStreamDecoder({ eventSizeMax: this.#rules.eventSizeMax }, (value) => {
      isAlive = true;
      take(value);
    });
    await this.#transport.stream(url, body, signal, (bytes, alive) => {
      isAlive = false;
      decoder.push(bytes);
      if (isAlive) alive();
    });
    decoder.end();
  }

  /** Ends idle connections. */
  close(): Promise<void> {
    return this.#transport.close();
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw protocolError('bytes that are not UTF-8', cause);
  }
}
