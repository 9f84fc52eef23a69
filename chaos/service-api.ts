// The operations of the service as clients of a run do them: each one is done once, on one replica, and written down.

import { type Answer, type SendOptions, send } from '../test/support/client.ts';
import type { MessageView, Segment, SendOperation } from './evidence.ts';
import { streamed, toldByStream, type Watched, type WatchOptions, watchFrames } from './frame-reader.ts';
import { type Told, toldByAnswer, turnOf } from './outcome.ts';
import type { Begun, Recorder } from './recorder.ts';
import {
  type Call,
  type Chosen,
  cursorHeader,
  ended,
  header,
  keyHeader,
  type Question,
  versionOf,
} from './service-call.ts';

const READ_MS = 8000;
const SEND_MS = 20_000;

const PAGE_SIZE = 200;

interface Leaving {
  readonly leaveMs: number;
  readonly leaveAfter: number | undefined;
}

export class ServiceApi {
  readonly #urls: readonly string[];
  readonly #recorder: Recorder;
  /** Aborts when every stream must have come to its end. */
  late: AbortSignal = new AbortController().signal;

  constructor(urls: readonly string[], recorder: Recorder) {
    this.#urls = urls;
    this.#recorder = recorder;
  }

  get replicas(): number {
    return this.#urls.length;
  }

  /** Whether the session is there now. A conflict after an unknown attempt is that attempt. */
  async create(call: Call, isAgain: boolean): Promise<boolean> {
    const begun = this.#recorder.begin();
    const { status, json } = await this.#json(call, 'POST', '', { body: { id: call.sessionId } });
    const isThere = status === 201 || (isAgain && json?.code === 'session_exists');
    begun.end({ ...call, kind: 'create', ...ended(isThere ? 201 : status, json), ...versionOf(json) });
    return isThere;
  }

  async remove(call: Call): Promise<void> {
    const begun = this.#recorder.begin();
    const { status, json } = await this.#json(call, 'DELETE', `/${call.sessionId}`);
    begun.end({ ...call, kind: 'delete', ...ended(status, json) });
  }

  async patch(call: Call, displayName: string): Promise<void> {
    const begun = this.#recorder.begin();
    const { status, json } = await this.#json(call, 'PATCH', `/${call.sessionId}`, { body: { displayName } });
    begun.end({
      ...call,
      kind: 'patch',
      displayName,
      ...ended(status, json),
      ...(status === 200 ? versionOf(json) : {}),
    });
  }

  async session(
    call: Call,
    { isFinal = false } = {},
  ): Promise<{ readonly status: number; readonly activeTurnId?: string }> {
    const begun = this.#recorder.begin();
    const { status, json } = await this.#json(call, 'GET', `/${call.sessionId}`);
    const active = json?.activeTurn?.turnId as string | undefined;
    const seen = status === 200 ? { ...versionOf(json), messageCount: json.messageCount as number } : {};
    const activeTurn = active === undefined ? {} : { activeTurnId: active };
    begun.end({ ...call, kind: 'session', ...ended(status, json), ...seen, ...activeTurn, isFinal });
    return { status, ...activeTurn };
  }

  /** How many messages there are; `undefined` when that could not be read. */
  async history(call: Call, { isFinal = false } = {}): Promise<number | undefined> {
    const begun = this.#recorder.begin();
    const messages: MessageView[] = [];
    for (let token = ''; ; ) {
      const page = await this.#json(call, 'GET', `/${call.sessionId}/messages?pageSize=${PAGE_SIZE}${token}`);
      if (page.status === 200) messages.push(...(page.json.messages as MessageView[]));
      if (page.status === 200 && page.json.nextPageToken) {
        token = `&pageToken=${page.json.nextPageToken}`;
        continue;
      }
      const seen = page.status === 200 ? { messages } : {};
      begun.end({ ...call, kind: 'history', ...ended(page.status, page.json), ...seen, isFinal });
      return page.status === 200 ? messages.length : undefined;
    }
  }

  async turn(call: Call, turnId: string, { isFinal = false } = {}): Promise<Told> {
    const begun = this.#recorder.begin();
    const { status, json } = await this.#json(call, 'GET', `/${call.sessionId}/turns/${turnId}`);
    const turn = turnOf(json);
    begun.end({ ...call, kind: 'turn', turnId, ...ended(status, json), ...(turn ? { turn } : {}), isFinal });
    return toldByAnswer(status, json, undefined);
  }

  async cancel(call: Call, turnId: string, keep: 'none' | 'partial'): Promise<void> {
    const begun = this.#recorder.begin();
    const path = `/${call.sessionId}/turns/${turnId}/cancel`;
    const { status, json } = await this.#json(call, 'POST', path, { body: { keep }, ms: SEND_MS });
    const turn = turnOf(json);
    begun.end({ ...call, kind: 'cancel', turnId, keep, ...ended(status, json), ...(turn ? { turn } : {}) });
  }

  /** `way` async: answered at once; what became of it is asked for later, as one operation with the send. */
  async send(
    call: Call,
    question: Question,
    way: 'unary' | 'async',
    follow: (turnId: string) => Promise<Told>,
  ): Promise<Told> {
    const begun = this.#recorder.begin();
    const headers = { ...keyHeader(question), ...(way === 'async' ? { prefer: 'respond-async' } : {}) };
    const path = `/${call.sessionId}/messages`;
    const answer = await this.#json(call, 'POST', path, { body: question.body, headers, ms: SEND_MS });
    const first = toldByAnswer(answer.status, answer.json, header(answer));
    const isOpen = answer.status === 202 && first.turnId !== undefined;
    const told = isOpen ? await follow(first.turnId ?? '') : first;
    this.#sent(begun, call, question, way, told, []);
    return told;
  }

  /** The first connection of a stream, and those that send it again with its key. */
  open(call: Call, question: Question, leaveAfter?: number, after?: string): Promise<Watched> {
    return this.#watch(call, '/messages/stream', {
      method: 'POST',
      body: question.body,
      headers: { ...keyHeader(question), ...cursorHeader(after) },
      ...(after === undefined ? {} : { after }),
      ...(leaveAfter === undefined ? {} : { leaveAfter }),
    });
  }

  /** A later connection, on whichever replica. */
  resume(call: Call, turnId: string, after: string | undefined, leaveAfter: number | undefined): Promise<Watched> {
    return this.#watch(call, `/turns/${turnId}/events`, {
      method: 'GET',
      headers: cursorHeader(after),
      ...(after === undefined ? {} : { after }),
      ...(leaveAfter === undefined ? {} : { leaveAfter }),
    });
  }

  /** All turns of a session, for so long, or so many events. */
  followSession(call: Call, after: string | undefined, { leaveMs, leaveAfter }: Leaving): Promise<Watched> {
    return this.#watch(call, '/events', {
      method: 'GET',
      headers: cursorHeader(after),
      leaveMs,
      ...(leaveAfter === undefined ? {} : { leaveAfter }),
      ...(after === undefined ? {} : { after }),
    });
  }

  beginStream(): Begun {
    return this.#recorder.begin();
  }

  endStream(begun: Begun, call: Call, question: Question, watched: readonly Watched[]): Told {
    const told = toldByStream(watched);
    this.#sent(begun, call, question, 'stream', told, streamed(watched));
    return told;
  }

  endWatch(begun: Begun, call: Call, turnId: string, watched: readonly Watched[]): void {
    const { turn, outcome, status } = toldByStream(watched);
    begun.end({
      ...call,
      kind: 'watch',
      turnId,
      segments: streamed(watched),
      outcome,
      status,
      ...(turn ? { turn } : {}),
    });
  }

  endFollow(begun: Begun, call: Call, watched: readonly Watched[]): void {
    const { segment, body } = watched[0] ?? {};
    const segments = streamed(watched);
    begun.end({
      ...call,
      kind: 'follow',
      segments,
      ...ended(segment?.status ?? 0, body as { readonly code?: string }),
    });
  }

  #watch(call: Call, path: string, options: Omit<WatchOptions, 'replica' | 'silentMs' | 'nowMs' | 'late'>) {
    return watchFrames(this.#path(call, `/${call.sessionId}${path}`), {
      ...options,
      replica: call.replica,
      silentMs: SEND_MS,
      nowMs: () => this.#recorder.nowMs(),
      late: this.late,
    });
  }

  #sent(
    begun: Begun,
    call: Call,
    question: Question,
    way: SendOperation['way'],
    told: Told,
    segments: readonly Segment[],
  ): void {
    const { token, question: text, body, key, hasOtherBody, isProbe } = question;
    const { turnId: wanted, onBusy } = body as Chosen;
    begun.end({
      ...call,
      kind: 'send',
      way,
      token,
      question: text,
      segments,
      ...told,
      ...(wanted === undefined ? {} : { wanted }),
      ...(onBusy === 'interrupt' ? { isInterrupting: true } : {}),
      ...(key === undefined ? {} : { key }),
      ...(hasOtherBody === undefined ? {} : { hasOtherBody }),
      ...(isProbe === undefined ? {} : { isProbe }),
    });
  }

  #path({ replica }: Call, path: string): string {
    return `${this.#urls[replica]}/v1/sessions${path}`;
  }

  /** `status` 0 when there was no whole answer in time. */
  async #json(
    call: Call,
    method: string,
    path: string,
    { ms = READ_MS, ...options }: SendOptions & { ms?: number } = {},
  ): Promise<Answer> {
    try {
      return await send(this.#path(call, path), method, { ...options, signal: AbortSignal.timeout(ms) });
    } catch {
      return { status: 0, headers: {}, text: '', json: undefined };
    }
  }
}
