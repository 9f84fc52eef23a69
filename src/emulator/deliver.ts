// Writes an answer to the connection: in time, in slices, under back-pressure, and broken where it was asked to break.
import type { ServerResponse } from 'node:http';
import type { Behaviour, Break } from './behaviour.ts';
import { arrayFraming, type Framing, pretty, sseFraming } from './framing.ts';
import { errorBody, errorHeaders, errorPage, type GoogleError, requestedError } from './google-error.ts';
import type { JsonObject } from './json.ts';
import { pause, silence, until } from './wait.ts';
import type { Answer } from './wire.ts';

export type Delivery = {
  readonly response: ServerResponse;
  /** Aborts when the connection is gone. */
  readonly signal: AbortSignal;
  readonly behaviour: Behaviour;
};

const JSON_TYPE = 'application/json; charset=UTF-8';
// A unary answer is written in pieces too, so that a big one waits for its reader.
const WRITE_BYTES = 64 * 1024;
const MID_STREAM_STATUS = 503;

/** Streams the answer with `chunkDelayMs` between its chunks. The next one is not made before the last one has gone out. */
export async function deliverStream(
  answer: Answer,
  isSse: boolean,
  chunkDelayMs: number,
  delivery: Delivery,
): Promise<void> {
  const { response, signal, behaviour } = delivery;
  const { breaks, breaksAfterChunks = 0, lineEnd = '\r\n' } = behaviour;
  const framing = isSse ? sseFraming(lineEnd, answer.broken) : arrayFraming(lineEnd, answer.broken);
  response.writeHead(200, { 'content-type': framing.contentType });
  response.flushHeaders();
  let sent = 0;
  let held: string | undefined;
  // One chunk is held back, because only the last event may stay without its blank line.
  for (const chunk of breaks ? beginningOf(answer.chunks(), breaksAfterChunks) : answer.chunks()) {
    if (held !== undefined) {
      await write(held, delivery);
      await pause(chunkDelayMs, signal);
    }
    if (signal.aborted) return;
    held = framing.chunk(chunk, sent === 0);
    sent++;
  }
  if (held !== undefined) await write(behaviour.isUnterminated && !breaks ? held.trimEnd() : held, delivery);
  if (breaks) await breakStream(breaks, framing, sent === 0, delivery);
  else await end(framing.end(sent === 0), delivery);
}

/** Answers a unary call, or breaks it in the way nearest to what the fault does to a stream. */
export async function deliverDocument(answer: Answer, delivery: Delivery): Promise<void> {
  const { breaks } = delivery.behaviour;
  switch (breaks) {
    case undefined:
    case 'eof':
      return deliverJson(answer.document(), delivery);
    case 'error-bare':
    case 'error-data':
      return deliverError(requestedError(MID_STREAM_STATUS), delivery);
    case 'error-array':
      return deliverError(requestedError(MID_STREAM_STATUS), delivery, true);
    case 'stall':
    case 'cut':
    case 'garbage': {
      const body = Buffer.from(`${pretty(answer.document())}\n`);
      // The length that was promised makes a cut visible to every client.
      const promised = breaks === 'garbage' ? {} : { 'content-length': body.length };
      delivery.response.writeHead(200, { 'content-type': JSON_TYPE, ...promised });
      await write(body.subarray(0, body.length / 2), delivery);
      return breakConnection(breaks, delivery);
    }
    default:
      return breaks satisfies never;
  }
}

export async function deliverJson(
  body: JsonObject | readonly JsonObject[],
  delivery: Delivery,
  status = 200,
  headers = {},
): Promise<void> {
  const bytes = Buffer.from(`${pretty(body)}\n`);
  delivery.response.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': bytes.length, ...headers });
  await write(bytes, delivery);
  await end('', delivery);
}

/** `inArray`: a stream without `alt=sse` is an array, even when it is only an error. */
export function deliverError(error: GoogleError, delivery: Delivery, inArray = false): Promise<void> {
  const body = errorBody(error);
  return deliverJson(inArray ? [body] : body, delivery, error.code, errorHeaders(error));
}

export async function deliverPage(status: number, delivery: Delivery): Promise<void> {
  delivery.response.writeHead(status, { 'content-type': 'text/html; charset=UTF-8' });
  await write(errorPage(status), delivery);
  await end('', delivery);
}

async function breakStream(breaks: Break, framing: Framing, isFirst: boolean, delivery: Delivery): Promise<void> {
  switch (breaks) {
    case 'stall':
    case 'cut':
      return breakConnection(breaks, delivery);
    case 'garbage':
      return end(framing.garbage, delivery);
    case 'eof':
      return end(framing.end(isFirst), delivery);
    case 'error-bare':
    case 'error-data':
    case 'error-array':
      return end(framing.error(errorBody(requestedError(MID_STREAM_STATUS)), breaks, isFirst), delivery);
    default:
      return breaks satisfies never;
  }
}

async function breakConnection(breaks: 'stall' | 'cut' | 'garbage', { response, signal }: Delivery): Promise<void> {
  if (breaks === 'stall') await silence(signal);
  if (breaks === 'cut') response.destroy();
  if (breaks === 'garbage') response.end();
}

function* beginningOf(chunks: Iterable<JsonObject>, count: number): Generator<JsonObject> {
  let left = count;
  if (left === 0) return;
  for (const chunk of chunks) {
    yield chunk;
    if (--left === 0) return;
  }
}

async function end(text: string, delivery: Delivery): Promise<void> {
  if (text !== '') await write(text, delivery);
  delivery.response.end();
}

/** Resolves when the bytes have been handed to the system: that is the back-pressure, and what a cut must wait for. */
async function write(text: string | Buffer, { response, signal, behaviour }: Delivery): Promise<void> {
  const bytes = Buffer.from(text);
  const size = behaviour.sliceBytes ?? WRITE_BYTES;
  for (let at = 0; at < bytes.length && !signal.aborted; at += size) {
    await until(signal, (done) => response.write(bytes.subarray(at, at + size), () => done()));
  }
}
