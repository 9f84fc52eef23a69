// The JSON object of an answer, or the error that came in its place.

import { isObject, type JsonObject } from './json-value.ts';
import { protocolError } from './parse-json.ts';
import { upstreamError } from './upstream-error.ts';

/** Fails with what an `error` in the value means, or with `model_protocol_error`. */
export function answerObject(value: unknown): JsonObject {
  // Without `alt=sse` everything, errors too, comes wrapped in an array.
  const body = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (!isObject(body)) throw protocolError('something that is not an object');
  if (isObject(body.error)) throw upstreamError(typeof body.error.code === 'number' ? body.error.code : 500, body);
  return body;
}
