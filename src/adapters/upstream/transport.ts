// HTTP to the model: pooled connections, time limits, retries before the first byte, an abort that reaches the socket.

import { Agent } from 'undici';
import type { Chance } from '../../chat/clock.ts';
import { ChatError } from '../../chat/errors.ts';
import { CallWatch } from './call-watch.ts';
import type { AuthHeaders, Credentials } from './credentials.ts';
import { Exchange, type Refusal } from './exchange.ts';
import { parseJson } from './parse-json.ts';
import { upstreamError } from './upstream-error.ts';

export interface TransportRules {
  readonly connectTimeoutMs: number;
  /** From the request to the first event of the answer; for a unary call, to the answer. */
  readonly firstEventTimeoutMs: number;
  /** Between two events. Thinking models are silent for minutes. */
  readonly idleTimeoutMs: number;
  readonly retriesMax: number;
  /** A longer `Retry-After` is the caller's to wait for. */
  readonly retryWaitMaxMs: number;
  readonly connectionsMax: number;
  readonly bodyBytesMax: number;
}

const RETRIED_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

export type TakeBytes = (bytes: Uint8Array, alive: () => void) => void;

export class Transport {
  readonly #agent: Agent;
  readonly #credentials: Credentials;
  readonly #rules: TransportRules;
  readonly #chance: Chance;

  constructor(credentials: Credentials, rules: TransportRules, chance: Chance) {
    this.#credentials = credentials;
    this.#rules = rules;
    this.#chance = chance;
    this.#agent = new Agent({
      connect: { timeout: rules.connectTimeoutMs },
      connections: rules.connectionsMax,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 300_000,
      // Own timers know what an event is; these are the safety net behind them.
      headersTimeout: rules.firstEventTimeoutMs + 5000,
      bodyTimeout: Math.max(rules.firstEventTimeoutMs, rules.idleTimeoutMs) + 5000,
    });
  }

  /** The whole body of a successful answer. */
  async fetchBody(url: string, body: string | Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { bodyBytesMax } = this.#rules;
    const pieces: Uint8Array[] = [];
    let length = 0;
    await this.stream(url, body, signal, (bytes) => {
      pieces.push(bytes);
      length += bytes.length;
      if (length <= bodyBytesMax) return;
      throw new ChatError('answer_too_large', `The answer is larger than ${bodyBytesMax} bytes.`);
    });
    return Buffer.concat(pieces, length);
  }

  /**
   * Takes the bytes of a successful answer as they come; resolves at its end. `take` calls `alive` whenever an event is
   * complete: silence longer than the rules allow ends the call. What it throws ends the call, too. Nothing is taken any more
   * once this has failed.
   */
  async stream(url: string, body: string | Uint8Array, signal: AbortSignal, take: TakeBytes): Promise<void> {
    const watch = new CallWatch(signal, this.#rules.firstEventTimeoutMs);
    const alive = () => watch.extend(this.#rules.idleTimeoutMs);
    let takersOwn: unknown;
    try {
      await this.#insist(url, body, watch, (bytes) => {
        try {
          take(bytes, alive);
        } catch (error) {
          takersOwn = error;
          throw error;
        }
      });
    } catch (error) {
      throw error === takersOwn ? error : watch.explain(error);
    } finally {
      watch.end();
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** Until there is an answer. Whatever comes instead is retried where that is allowed, or thrown. */
  async #insist(
    url: string,
    body: string | Uint8Array,
    watch: CallWatch,
    take: (bytes: Uint8Array) => void,
  ): Promise<void> {
    let hasRenewed = false;
    for (let retries = 0; ; ) {
      const headers = await this.#authorize(watch);
      const refusal = await this.#attempt(url, { body, headers }, watch, take);
      if (!refusal) return;
      if (refusal.status === 401 && !hasRenewed && (await this.#credentials.renew(headers))) {
        hasRenewed = true;
        continue;
      }
      const error = errorOf(refusal);
      const waitMs = this.#retryWait(retries, refusal.status, error);
      if (waitMs === undefined) throw error;
      retries += 1;
      await watch.sleep(waitMs);
    }
  }

  async #attempt(
    url: string,
    { body, headers }: { readonly body: string | Uint8Array; readonly headers: AuthHeaders },
    watch: CallWatch,
    take: (bytes: Uint8Array) => void,
  ): Promise<Refusal | undefined> {
    const exchange = new Exchange(take, () => watch.answer());
    const forget = watch.onStop((reason) => exchange.stop(reason));
    const pathAt = url.indexOf('/', url.indexOf('://') + 3);
    this.#agent.dispatch(
      {
        origin: url.slice(0, pathAt),
        path: url.slice(pathAt),
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      },
      exchange,
    );
    return exchange.done.finally(forget);
  }

  /** Part of getting through to the model: the library itself would try for half a minute. */
  #authorize(watch: CallWatch): Promise<AuthHeaders> {
    const diagnosis = `no access token within ${this.#rules.connectTimeoutMs} ms`;
    const late = () => new ChatError('model_unreachable', 'The model cannot be reached.', { diagnosis });
    return watch.raceWithin(this.#rules.connectTimeoutMs, this.#credentials.headers(), late);
  }

  /** Full jitter, so that many callers do not come back together. `undefined`: not again. */
  #retryWait(retries: number, status: number, error: ChatError): number | undefined {
    if (retries >= this.#rules.retriesMax || !RETRIED_STATUSES.has(status)) return undefined;
    const { retryAfterS } = error.details;
    const backoffMs = this.#chance() * Math.min(8000, 250 * 2 ** retries);
    if (retryAfterS === undefined) return backoffMs;
    const askedMs = retryAfterS * 1000;
    return askedMs <= this.#rules.retryWaitMaxMs ? askedMs + backoffMs : undefined;
  }
}

function errorOf({ status, retryAfter, body }: Refusal): ChatError {
  return upstreamError(status, body && parsedOf(body), retryAfter);
}

/** HTML or nothing: then the status alone has to say it. */
function parsedOf(body: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}
