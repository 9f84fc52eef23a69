// Reads a request's body as JSON, up to a limit.
import type { IncomingMessage } from 'node:http';
import { invalidArgument } from './google-error.ts';

const BODY_BYTES_MAX = 32 * 1024 * 1024;

/** Fails with 400 when the body is too large or no JSON. A body that is too large is read to its end but not kept: a client that is still sending would miss the answer. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > BODY_BYTES_MAX) pieces.length = 0;
    else pieces.push(piece);
  }
  if (size > BODY_BYTES_MAX) {
    throw invalidArgument(`Request payload size exceeds the limit: ${BODY_BYTES_MAX} bytes.`);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw invalidArgument('Invalid JSON payload received. Unexpected token.');
  }
}
