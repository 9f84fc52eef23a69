// How chunks stand in the body of a stream: as Server-Sent Events with `alt=sse`, as one pretty-printed JSON array without.
import type { JsonObject } from './json.ts';

export type Framing = {
  readonly contentType: string;
  chunk(chunk: JsonObject, isFirst: boolean): string;
  /** The three framings of an error in an answer that had begun. An array has only one. */
  error(body: JsonObject, kind: 'error-bare' | 'error-data' | 'error-array', isFirst: boolean): string;
  /** Something that looks like a chunk and is no JSON. */
  readonly garbage: string;
  end(isFirst: boolean): string;
};

/** `broken` is the beginning of a chunk that never goes on. */
export function sseFraming(lineEnd: '\r\n' | '\n', broken: string): Framing {
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
    garbage: event(broken),
    end: () => '',
  };
}

export function arrayFraming(lineEnd: '\r\n' | '\n', broken: string): Framing {
  const element = (json: string, isFirst: boolean) => `${isFirst ? '[' : `,${lineEnd}`}${json}\n`;
  return {
    contentType: 'application/json; charset=UTF-8',
    chunk: (chunk, isFirst) => element(pretty(chunk), isFirst),
    error: (body, _, isFirst) => `${element(pretty(body), isFirst)}]\n`,
    garbage: `,${lineEnd}${broken}`,
    end: (isFirst) => (isFirst ? '[]\n' : ']\n'),
  };
}

export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
