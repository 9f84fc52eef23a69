// Server-Sent Events out of the body of one answer. Comments (heartbeats) and unknown fields are passed over.

import { createParser } from 'eventsource-parser';
import { ChatProxyError } from './chat-proxy-error.ts';
import { orLate } from './waiting.ts';

export interface StreamEvent {
  /** Where to go on after it; opaque. */
  readonly id?: string | undefined;
  readonly type: string;
  /** JSON, as it came. */
  readonly data: string;
}

export interface ReadRules {
  readonly isLast: (event: StreamEvent) => boolean;
  /** Silence for so long means that the connection is gone, and nobody has said so. */
  readonly idleMs: number;
  /** The service says how long to wait before coming back. */
  readonly onRetry?: (ms: number) => void;
  readonly signal: AbortSignal;
}

/** The body ended, or its connection broke, before the last event. That means "reconnect", never success. */
export class StreamCut extends Error {
  override readonly name = 'StreamCut';
}

/** One event may hold an image. */
const EVENT_CHARACTERS_MAX = 64 * 1024 ** 2;
const STREAM_CHARACTERS_MAX = 256 * 1024 ** 2;

/** How long the end of the body is waited for after the last event, so that its connection can be used again. */
const END_MS = 500;

/**
 * The events, as they come, up to the last one; leaving earlier ends the connection. Fails with `StreamCut` when the
 * last one does not come, with the signal's reason, and without a code for what is too large.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { isLast, onRetry, ...rules }: ReadRules,
): AsyncGenerator<StreamEvent, void> {
  const reader = body.getReader();
  const events: StreamEvent[] = [];
  let isTooLarge = false;
  const parser = createParser({
    maxBufferSize: EVENT_CHARACTERS_MAX,
    onEvent: ({ id, event = 'message', data }) => events.push({ id, type: event, data }),
    onRetry: (ms) => onRetry?.(ms),
    onError: ({ type }) => {
      isTooLarge ||= type === 'max-buffer-size-exceeded';
    },
  });
  let hasLast = false;
  try {
    for await (const text of decoded(reader, rules)) {
      parser.feed(text);
      for (const event of events.splice(0)) {
        hasLast = isLast(event);
        yield event;
        if (hasLast) return;
      }
      if (isTooLarge) throw new ChatProxyError(`An event is larger than ${EVENT_CHARACTERS_MAX} characters.`);
    }
  } finally {
    if (hasLast) await orLate(rest(reader), END_MS, () => undefined);
    // Not waited for: a source is free to take its time.
    reader.cancel().catch(() => undefined);
  }
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

async function* decoded(
  reader: BodyReader,
  { idleMs, signal }: Pick<ReadRules, 'idleMs' | 'signal'>,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const silence = () => {
    throw new StreamCut(`The stream said nothing for ${idleMs} ms.`);
  };
  for (let length = 0; ; ) {
    const read = reader.read().catch((cause: unknown) => {
      throw signal.aborted ? signal.reason : new StreamCut('The stream broke off.', { cause });
    });
    const { done, value } = await orLate(read, idleMs, silence);
    if (done) throw new StreamCut('The stream ended without its last event.');
    const text = decoder.decode(value, { stream: true });
    length += text.length;
    if (length > STREAM_CHARACTERS_MAX) {
      throw new ChatProxyError(`The stream is longer than ${STREAM_CHARACTERS_MAX} characters.`);
    }
    yield text;
  }
}

/** After the last event nothing is of interest any more, a broken connection included. */
async function rest(reader: BodyReader): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    return;
  }
}
