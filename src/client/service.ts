// The way to the service: one request, one answer, over fetch. Everything that goes wrong is a `ChatProxyError`, except
// an abort, which is the signal's own reason.

import { asProblem, ChatProxyError, type ErrorFacts, problemError } from './chat-proxy-error.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ServiceOptions {
  /** Where the service is, with or without a path before `/v1`: `https://chat.example.com/gateway`. */
  readonly baseUrl: string | URL;
  /** Sent as `Authorization: Bearer`. A function is asked before every request, for tokens that expire. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Instead of the global one: for proxies, cookies (`credentials`), tracing, tests. */
  readonly fetch?: Fetch | undefined;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** From `/v1` on, encoded. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Whom an error is about. */
  readonly sessionId?: string;
  readonly turnId?: string;
}

export interface Service {
  /** The answer, its body unread. Fails with the answer's problem when it is not 2xx. */
  open(call: Call): Promise<Response>;
  /** The JSON of the answer, as it came. */
  ask<T>(call: Call): Promise<T>;
}

/** Nothing that the service says is larger; who says more is somebody else. */
const ANSWER_CHARACTERS_MAX = 256 * 1024 ** 2;
const PROBLEM_CHARACTERS_MAX = 1024 ** 2;
const EXCERPT_CHARACTERS = 200;

export function connect({ baseUrl, token, headers, fetch: given }: ServiceOptions): Service {
  const base = baseOf(baseUrl);
  // Called as a plain function: browsers refuse their fetch as a method of something else.
  const fetchIt: Fetch = given ?? ((url, init) => fetch(url, init));

  const open = async (call: Call): Promise<Response> => {
    const { method, path, body, signal } = call;
    const all = new Headers({ accept: 'application/json', ...headers });
    if (body !== undefined) all.set('content-type', 'application/json');
    if (token !== undefined) all.set('authorization', `Bearer ${typeof token === 'string' ? token : await token()}`);
    for (const [name, value] of Object.entries(call.headers ?? {})) all.set(name, value);
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetchIt(`${base}${path}`, {
      method,
      headers: all,
      ...content,
      ...(signal ? { signal } : {}),
    }).catch((cause: unknown) => {
      throw signal?.aborted ? signal.reason : silence(call, base, cause);
    });
    if (response.ok) return response;
    throw refusal(call, response, await readBody(call, response, PROBLEM_CHARACTERS_MAX));
  };

  const ask = async <T>(call: Call): Promise<T> => {
    const response = await open(call);
    const text = await readBody(call, response, ANSWER_CHARACTERS_MAX);
    const json = parsed(text);
    if (json === undefined) throw new ChatProxyError(notWhatItShouldBe(call, response, text), factsOf(call, response));
    return json as T;
  };

  return { open, ask };
}

/** `/` before a query would make another address of every path. */
function baseOf(baseUrl: string | URL): string {
  const base = String(baseUrl);
  if (/[?#]/.test(base)) throw new TypeError(`baseUrl must have no query and no fragment: ${base}`);
  // In a browser an address can also be one on the page's own host.
  const isAddress = base === '' || base.startsWith('/') || /^https?:\/\/[^/]/i.test(base);
  if (!isAddress) throw new TypeError(`baseUrl is no http(s) address: ${base}`);
  let end = base.length;
  while (base[end - 1] === '/') end -= 1;
  return base.slice(0, end);
}

/** An id as a piece of a path. Dots would lead out of it, encoded or not, so they are refused here. */
export function idInPath(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new TypeError(`not an id: "${id}"`);
  return encodeURIComponent(id);
}

/** What no body says in time, or at all. */
function silence(call: Call, base: string, cause: unknown): ChatProxyError {
  const message = `${call.method} ${base}${call.path} got no answer: ${reasonOf(cause)}`;
  return new ChatProxyError(message, { ...factsOf(call), cause, retryable: true });
}

/** Node says "fetch failed" and keeps the reason one level deeper. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? `${error.message} (${cause.message})` : error.message;
}

function refusal(call: Call, response: Response, text: string): ChatProxyError {
  const problem = asProblem(parsed(text));
  const facts = factsOf(call, response);
  return problem ? problemError(problem, facts) : new ChatProxyError(notWhatItShouldBe(call, response, text), facts);
}

/** A page of a proxy, mostly. Its beginning tells whose. */
function notWhatItShouldBe({ method, path }: Call, response: Response, text: string): string {
  const type = response.headers.get('content-type') ?? 'no content type';
  const excerpt = text.slice(0, EXCERPT_CHARACTERS).replace(/\s+/g, ' ').trim();
  return `${method} ${path} was answered with ${response.status} and ${type}, not by chat-session-proxy: ${excerpt}`;
}

/** An error for an answer that is not of the kind that was asked for. Ends the connection. */
export async function wrongKind(call: Call, response: Response): Promise<ChatProxyError> {
  const text = await readBody(call, response, PROBLEM_CHARACTERS_MAX);
  return new ChatProxyError(notWhatItShouldBe(call, response, text), factsOf(call, response));
}

function factsOf({ sessionId, turnId }: Call, response?: Response): ErrorFacts {
  if (!response) return { sessionId, turnId };
  const { status, headers } = response;
  const retryAfterMs = retryAfterOf(headers.get('retry-after'));
  return { sessionId, turnId: headers.get('turn-id') ?? turnId, status, retryAfterMs };
}

/** Seconds or a date (RFC 9110). Not to be read by pages of another origin: there the problem tells. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The whole body; no more of it than there may be. */
async function readBody(call: Call, { body }: Response, charactersMax: number): Promise<string> {
  if (!body) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return pieces.join('') + decoder.decode();
      const piece = decoder.decode(value, { stream: true });
      length += piece.length;
      if (length > charactersMax) throw new ChatProxyError(`The answer is longer than ${charactersMax} characters.`);
      pieces.push(piece);
    }
  } catch (error) {
    if (call.signal?.aborted) throw call.signal.reason;
    if (error instanceof ChatProxyError) throw error;
    const message = `The answer to ${call.method} ${call.path} broke off: ${reasonOf(error)}`;
    throw new ChatProxyError(message, { ...factsOf(call), cause: error, retryable: true });
  } finally {
    // Also what was not read: the connection is not kept for nothing.
    reader.cancel().catch(() => undefined);
  }
}
