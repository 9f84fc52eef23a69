// A plain HTTP client of the service: whole answers, and event streams as they come.

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { testIdentity } from './test-identity.ts';
import { until } from './until.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into bodies of every shape.
  readonly json: any;
}

export interface SendOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer of events may never end: its headers are enough. */
  readonly isEndless?: boolean;
  readonly signal?: AbortSignal;
}

/** A string or bytes are sent as they are, everything else as JSON. */
function payloadOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (typeof body === 'string') return Buffer.from(body);
  return body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
}

export function open(url: string, method: string, { body, headers = {}, signal }: SendOptions): ClientRequest {
  const payload = payloadOf(body);
  const call = request(url, {
    method,
    agent: false,
    ...(signal ? { signal } : {}),
    headers: {
      ...(payload ? { 'content-type': 'application/json' } : {}),
      ...(payload && !headers['transfer-encoding'] ? { 'content-length': String(payload.length) } : {}),
      ...testIdentity(headers),
      ...headers,
    },
  });
  call.end(payload);
  return call;
}

export function send(url: string, method: string, options: SendOptions = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const call = open(url, method, options);
  call.on('error', reject);
  call.on('response', (response) => {
    const { statusCode = 0, headers } = response;
    if (options.isEndless && headers['content-type']?.startsWith('text/event-stream')) {
      resolve({ status: statusCode, headers, text: '', json: undefined });
      call.destroy();
      return;
    }
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => pieces.push(piece));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(pieces).toString('utf8');
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: asJson(text) });
    });
  });
  return promise;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into events of every shape.
  readonly data: any;
}

const TERMINAL = ['turn.committed', 'turn.blocked', 'turn.failed', 'turn.cancelled'];

/** An event stream that is being read. */
export class EventStream {
  readonly events: StreamEvent[] = [];
  readonly comments: string[] = [];
  readonly call: ClientRequest;
  response: IncomingMessage | undefined;
  /** How the body ended; a cut is not an end. */
  ending: 'end' | 'cut' | undefined;
  text = '';

  constructor(url: string, options: SendOptions = {}, method = 'POST') {
    this.call = open(url, method, options);
    this.call.on('error', () => {
      this.ending ??= 'cut';
    });
    this.call.on('response', (response) => this.#read(response));
  }

  get status(): number {
    return this.response?.statusCode ?? 0;
  }

  get types(): readonly string[] {
    return this.events.map(({ event }) => event);
  }

  get terminal(): StreamEvent | undefined {
    return this.events.find(({ event }) => TERMINAL.includes(event));
  }

  // biome-ignore lint/suspicious/noExplicitAny: a problem, or whatever came instead of a stream.
  get json(): any {
    return asJson(this.text);
  }

  /** The visible text of one candidate, as its deltas tell it. */
  answer(index = 0): string {
    const deltas = this.events.filter(({ event, data }) => event === 'candidate.delta' && data.index === index);
    return deltas.map(({ data }) => data.text).join('');
  }

  until(fact: string, holds: (stream: EventStream) => boolean): Promise<unknown> {
    return until(fact, () => holds(this) || (this.ending !== undefined && holds(this)));
  }

  async done(): Promise<EventStream> {
    await until('the stream has ended', () => this.ending, { deadlineMs: 30_000 });
    return this;
  }

  hangUp(): void {
    this.call.destroy();
  }

  /** Stop reading: what the service still writes stays with it, and in the buffers between. */
  pause(): void {
    this.response?.pause();
  }

  resume(): void {
    this.response?.resume();
  }

  #read(response: IncomingMessage): void {
    this.response = response;
    const parser = createParser({
      onEvent: ({ id, event, data }: EventSourceMessage) => {
        this.events.push({ id: id ?? '', event: event ?? 'message', data: JSON.parse(data) });
      },
      onComment: (comment) => this.comments.push(comment),
    });
    const isStream = response.headers['content-type']?.startsWith('text/event-stream');
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      if (isStream) parser.feed(text);
      else this.text += text;
    });
    response.on('end', () => {
      this.ending ??= 'end';
    });
    response.on('error', () => {
      this.ending ??= 'cut';
    });
  }
}

/** The operations that tests use again and again. */
export class Client {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return send(`${this.url}${path}`, 'GET', { headers });
  }

  post(path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return send(`${this.url}${path}`, 'POST', { body, headers });
  }

  patch(path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return send(`${this.url}${path}`, 'PATCH', { body, headers });
  }

  delete(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return send(`${this.url}${path}`, 'DELETE', { headers });
  }

  stream(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): EventStream {
    return new EventStream(`${this.url}${path}/messages/stream`, { body, headers });
  }

  /** The events of a turn: its path, and `/events`. */
  events(path: string, headers: Readonly<Record<string, string>> = {}): EventStream {
    return new EventStream(`${this.url}${path}`, { headers }, 'GET');
  }

  /** The path of a new session. */
  async session(body: object = {}): Promise<string> {
    const { json } = await this.post('/v1/sessions', body);
    return `/v1/sessions/${json.id}`;
  }

  /** The whole history of a session, as `[author, content]`. */
  async history(path: string): Promise<readonly [string, string][]> {
    const { json } = await this.get(`${path}/messages?pageSize=200`);
    return json.messages.map(({ author, content }: { author: string; content: string }) => [author, content]);
  }
}
