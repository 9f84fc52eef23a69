// Sends requests to a running service and judges every answer.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request as call } from 'node:http';
import { type FuzzAnswer, faultOf } from './judge.ts';
import { type Caller, type FuzzRequest, NEWEST, SESSIONS } from './requests.ts';

/** The keys of the callers, in a file as the service reads it. */
export function writeKeyFile(path: string): void {
  const entry = (key: string, owner: string, more: object = {}) => ({
    owner,
    sha256: createHash('sha256').update(key).digest('hex'),
    ...more,
  });
  const entries = [
    entry('key-of-owner', 'owner'),
    entry('key-of-stranger', 'stranger'),
    entry('key-of-reader', 'owner', { scopes: ['read'] }),
    entry('key-of-expired', 'owner', { expireTime: '2020-01-01T00:00:00Z' }),
  ];
  writeFileSync(path, JSON.stringify(entries));
}

function identity(caller: Caller): Readonly<Record<string, string>> {
  return caller === 'nobody' ? {} : { authorization: `Bearer key-of-${caller}` };
}

/** A stream that has no end by itself is looked at for so long. */
const WATCH_MS = 50;
const ANSWER_MS = 30_000;

export class Fuzzer {
  readonly statuses = new Map<number, number>();
  readonly operations = new Map<string, number>();
  /** Turns that were really met, and not only asked for. */
  turnsMet = 0;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** What is wrong with the answer to this request, if anything is. */
  async fault(request: FuzzRequest): Promise<string | undefined> {
    const { operation, sessionId, turnId } = request;
    const turn = turnId === NEWEST && operation.path.includes('{turnId}') ? await this.#newestTurn(sessionId) : turnId;
    const path = operation.path
      .replace('{sessionId}', encodeURIComponent(sessionId))
      .replace('{turnId}', encodeURIComponent(turn));
    const answer = await this.#send(operation.method, `${path}${request.query}`, request);
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    if (answer.status < 300) {
      this.operations.set(operation.operationId, (this.operations.get(operation.operationId) ?? 0) + 1);
      if (turnId === NEWEST && operation.path.includes('{turnId}')) this.turnsMet += 1;
    }
    return faultOf(request, answer);
  }

  /** Sessions that were deleted, or have expired, are made again, so that requests have something to meet. */
  async refresh(): Promise<void> {
    for (const id of SESSIONS) {
      const headers = { 'content-type': 'application/json' };
      const made = { headers, body: JSON.stringify({ id }), caller: 'owner' as const };
      const { status } = await this.#send('POST', '/v1/sessions', made);
      const message = { headers, body: '{"message":"hello","candidateCount":2}', caller: 'owner' as const };
      if (status === 201) await this.#send('POST', `/v1/sessions/${id}/messages`, message);
    }
  }

  async #newestTurn(sessionId: string): Promise<string> {
    const path = `/v1/sessions/${encodeURIComponent(sessionId)}/turns?pageSize=1`;
    const { text } = await this.#send('GET', path, { headers: {}, body: undefined, caller: 'owner' });
    const [, newest] = /"turnId":"([^"]+)"/.exec(text) ?? [];
    return newest ?? 'none';
  }

  #send(method: string, path: string, request: Pick<FuzzRequest, 'headers' | 'body' | 'caller'>): Promise<FuzzAnswer> {
    const { headers, body, caller } = request;
    const { promise, resolve, reject } = Promise.withResolvers<FuzzAnswer>();
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = call(`${this.#url}${path}`, { method, headers: { ...type, ...identity(caller), ...headers } });
    const overdue = setTimeout(() => reject(new Error(`${method} ${path}: no end after ${ANSWER_MS} ms`)), ANSWER_MS);
    sent.on('error', reject);
    sent.on('response', (response) => {
      const mediaType = String(response.headers['content-type'] ?? '').split(';')[0] ?? '';
      const pieces: Buffer[] = [];
      const finish = () => {
        clearTimeout(overdue);
        resolve({ status: response.statusCode ?? 0, mediaType, text: Buffer.concat(pieces).toString('utf8') });
      };
      response
        .on('data', (piece: Buffer) => pieces.push(piece))
        .on('end', finish)
        .on('error', finish);
      if (mediaType === 'text/event-stream' && method === 'GET') {
        const leave = setTimeout(() => {
          finish();
          sent.destroy();
        }, WATCH_MS);
        response.on('end', () => clearTimeout(leave));
      }
    });
    sent.end(body);
    return promise.finally(() => clearTimeout(overdue));
  }
}
