// How chunks stand in the body of a stream: as Server-Sent Events with `alt=sse`, as one pretty-printed JSON array without.
import type { Chunk, JsonObject } from './wire.ts';

export type Framing = {
  readonly contentType: string;
  chunk(chunk: Chunk, isFirst: boolean): string;
  /** The three framings of an error in an answer that had begun. An array has only one. */
  error(body: JsonObject, kind: 'error-bare' | 'error-data' | 'error-array', isFirst: boolean): string;
  /** Something that looks like a chunk and is no JSON. */
  readonly garbage: string;
  end(isFirst: boolean): string;
};

const BROKEN = '{"candidates": [{"content": {"role": "model","parts": [{"text": "Moun';

export function sseFraming(lineEnd: '\r\n' | '\n'): Framing {
  const event = (json: string) => `data: ${json}${lineEnd}${lineEnd}`;
  return {
    contentType: 'text/event-stream',
    chunk: (chunk) => event(JSON.stringify(chunk)),
    error: (body, kind) => {
      switch (kind) {
        case 'error-bare':
          return `${pretty(body)}\n`;
        case 'error-data':
          return event(JSON.stringify(body));
        case 'error-array':
          return `[${pretty(body)}\n]\n`;
        default:
          return kind satisfies never;
      }
    },
    garbage: event(BROKEN),
    end: () => '',
  };
}

export function arrayFraming(lineEnd: '\r\n' | '\n'): Framing {
  const element = (json: string, isFirst: boolean) => `${isFirst ? '[' : `,${lineEnd}`}${json}\n`;
  return {
    contentType: 'application/json; charset=UTF-8',
    chunk: (chunk, isFirst) => element(pretty(chunk), isFirst),
    error: (body, _, isFirst) => `${element(pretty(body), isFirst)}]\n`,
    garbage: `,${lineEnd}${BROKEN}`,
    end: (isFirst) => (isFirst ? '[]\n' : ']\n'),
  };
}

export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
