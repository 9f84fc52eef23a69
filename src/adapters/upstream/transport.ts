// HTTP to the model: pooled connections, time limits, retries before the first byte, an abort that reaches the socket.

import { Agent, type Dispatcher, request } from 'undici';
import type { Chance } from '../../chat/clock.ts';
import { ChatError } from '../../chat/errors.ts';
import { CallWatch } from './call-watch.ts';
import type { AuthHeaders, Credentials } from './credentials.ts';
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

/** An error body is read this far; Google's are a few kilobytes. */
const ERROR_BODY_BYTES_MAX = 256 * 1024;
const RETRIED_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

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
  async fetchBody(url: string, body: string, signal: AbortSignal): Promise<Uint8Array> {
    const watch = new CallWatch(signal, this.#rules.firstEventTimeoutMs);
    let hasAnswer = false;
    try {
      const response = await this.#open(url, body, watch);
      hasAnswer = true;
      return await this.#readAll(response.body, this.#rules.bodyBytesMax);
    } catch (error) {
      throw watch.explain(error, hasAnswer);
    } finally {
      watch.stop();
    }
  }

  /**
   * The bytes of a successful answer as they come. Call `alive` whenever an event is complete: silence longer than
   * the rules allow ends the call. Leaving the loop closes the socket.
   */
  async *stream(url: string, body: string, signal: AbortSignal, onAlive: (alive: () => void) => void) {
    const watch = new CallWatch(signal, this.#rules.firstEventTimeoutMs);
    let hasAnswer = false;
    onAlive(() => watch.extend(this.#rules.idleTimeoutMs));
    try {
      const response = await this.#open(url, body, watch);
      hasAnswer = true;
      for await (const bytes of response.body) yield bytes as Uint8Array;
    } catch (error) {
      throw watch.explain(error, hasAnswer);
    } finally {
      watch.abort();
      watch.stop();
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** A response with status 200. Whatever comes instead is retried where that is allowed, or thrown. */
  async #open(url: string, body: string, watch: CallWatch): Promise<Dispatcher.ResponseData> {
    let hasRenewed = false;
    for (let retries = 0; ; ) {
      const headers = await this.#authorize(watch);
      const call = request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
        signal: watch.signal,
        dispatcher: this.#agent,
      });
      // A call that waits for a free connection hears of an abort only when it gets one.
      const response = await watch.race(call);
      if (response.statusCode === 200) return response;
      const error = await this.#readError(response);
      if (response.statusCode === 401 && !hasRenewed && (await this.#credentials.renew(headers))) {
        hasRenewed = true;
        continue;
      }
      const waitMs = this.#retryWait(retries, response.statusCode, error);
      if (waitMs === undefined) throw error;
      retries += 1;
      await watch.sleep(waitMs);
    }
  }

  /** Part of getting through to the model: the library itself would try for half a minute. */
  #authorize(watch: CallWatch): Promise<AuthHeaders> {
    const diagnosis = `no access token within ${this.#rules.connectTimeoutMs} ms`;
    const late = new ChatError('model_unreachable', 'The model cannot be reached.', { diagnosis });
    return watch.raceWithin(this.#rules.connectTimeoutMs, this.#credentials.headers(), late);
  }

  async #readError(response: Dispatcher.ResponseData): Promise<ChatError> {
    const header = response.headers['retry-after'];
    const retryAfter = Array.isArray(header) ? header[0] : header;
    let body: unknown;
    try {
      body = parseJson(Buffer.from(await this.#readAll(response.body, ERROR_BODY_BYTES_MAX)).toString('utf8'));
    } catch {
      // HTML, nothing, or too much: the status alone has to say it.
      response.body.destroy();
    }
    return upstreamError(response.statusCode, body, retryAfter);
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

  async #readAll(body: Dispatcher.ResponseData['body'], bytesMax: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) throw new ChatError('answer_too_large', `The answer is larger than ${bytesMax} bytes.`);
    }
    return Buffer.concat(chunks, length);
  }
}
