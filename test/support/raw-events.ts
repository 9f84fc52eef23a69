// An event stream as bytes: what was read, frame by frame, exactly as it came.

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { testIdentity } from './test-identity.ts';
import { until } from './until.ts';

export interface RawOptions {
  readonly after?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class RawEvents {
  readonly call: ClientRequest;
  response: IncomingMessage | undefined;
  /** `cut`: the connection broke; the body did not end. */
  ending: 'end' | 'cut' | undefined;
  bytes = Buffer.alloc(0);

  constructor(url: string, { after, headers = {} }: RawOptions = {}) {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
    this.call = request(`${url}${query}`, { agent: false, headers: { ...testIdentity(headers), ...headers } });
    this.call.on('error', () => {
      this.ending ??= 'cut';
    });
    this.call.on('response', (response) => {
      this.response = response;
      response.on('data', (piece: Buffer) => {
        this.bytes = Buffer.concat([this.bytes, piece]);
      });
      response.on('end', () => {
        this.ending ??= 'end';
      });
      response.on('error', () => {
        this.ending ??= 'cut';
      });
    });
    this.call.end();
  }

  get status(): number {
    return this.response?.statusCode ?? 0;
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  /** Whole frames without the comments between them. */
  get frames(): readonly string[] {
    const blocks = this.text.split('\n\n').slice(0, -1);
    return blocks.filter((block) => !block.startsWith(':')).map((block) => `${block}\n\n`);
  }

  get comments(): number {
    return this.text.split('\n\n').filter((block) => block.startsWith(':')).length;
  }

  get ids(): readonly string[] {
    return this.frames.map(idOf);
  }

  until(fact: string, holds: (events: RawEvents) => boolean, deadlineMs = 10_000): Promise<unknown> {
    return until(fact, () => holds(this), { deadlineMs });
  }

  async done(deadlineMs = 15_000): Promise<RawEvents> {
    await until('the stream has ended', () => this.ending, { deadlineMs });
    return this;
  }

  hangUp(): void {
    this.call.destroy();
  }
}

export function idOf(frame: string): string {
  return /^id: (.*)$/m.exec(frame)?.[1] ?? '';
}

export function typeOf(frame: string): string {
  return /^event: (.*)$/m.exec(frame)?.[1] ?? '';
}
