// From what the upstream says went wrong to the domain's errors, once. Source: google.rpc.Status in JSON, the HTTP
// status, and undici's errors for what never became an answer.

import { ChatError, type ChatErrorDetails } from '../../chat/errors.ts';
import { isObject, objectsIn } from './json-value.ts';
import { protocolError } from './parse-json.ts';

/** Errors about the request itself, as google.rpc names them; their message is meant for the caller. */
const REQUEST_STATUSES = new Set(['INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'OUT_OF_RANGE']);

/** Upstream texts can be long and quote the request; this much of them helps. */
const MESSAGE_CHARACTERS_MAX = 500;

/** Access tokens, identity tokens and API keys of Google, should a text quote one. */
const SECRET = /\b(?:ya29\.|AIza|eyJ)[\w.-]+/g;

/** `status` is the HTTP status, or the code in the body once that has begun; `body` is whatever came, parsed if it could be. */
export function upstreamError(status: number, body: unknown, retryAfter?: string): ChatError {
  const wrapped = Array.isArray(body) ? body[0] : body;
  const error = isObject(wrapped) && isObject(wrapped.error) ? wrapped.error : {};
  const reason = typeof error.status === 'string' ? error.status : '';
  const message = typeof error.message === 'string' ? error.message.slice(0, MESSAGE_CHARACTERS_MAX) : '';
  const diagnosis = `upstream ${status}${reason ? ` ${reason}` : ''}`;
  // The Developer API calls a bad key an invalid argument; it is our key, not the caller's argument.
  const isBadKey = objectsIn(error.details).some((detail) => detail.reason === 'API_KEY_INVALID');
  if (status === 401 || status === 403 || isBadKey) return refusedCredential(status, message, diagnosis);
  if (status === 429) {
    const retryAfterS = secondsOf(retryAfter) ?? retryInfoSeconds(error.details);
    const text = 'The model has no capacity for this request now.';
    return new ChatError('model_overloaded', text, withRetryAfter({ diagnosis }, retryAfterS));
  }
  if (status === 408 || status === 504) {
    const text = 'The model did not answer in time.';
    return new ChatError('model_timeout', text, withRetryAfter({ diagnosis }, secondsOf(retryAfter)));
  }
  if (status === 404 || status === 400 || REQUEST_STATUSES.has(reason)) {
    return new ChatError('unsupported_by_model', message || 'The model refused the request.', { diagnosis });
  }
  return new ChatError('model_error', 'The model failed.', withRetryAfter({ diagnosis }, secondsOf(retryAfter)));
}

/** What the upstream says about our credential is for the operator alone. */
function refusedCredential(status: number, message: string, diagnosis: string): ChatError {
  const details = { diagnosis: `${diagnosis}: ${message.replace(SECRET, '[secret]')}`, retryable: false };
  return new ChatError('model_error', `The model refused the credentials of this service (${status}).`, details);
}

function withRetryAfter(details: ChatErrorDetails, retryAfterS: number | undefined): ChatErrorDetails {
  return retryAfterS === undefined ? details : { ...details, retryAfterS };
}

/** `Retry-After` in seconds; its date form is not used by this upstream. */
function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

/** google.rpc.RetryInfo: `{"retryDelay": "17s"}`. */
function retryInfoSeconds(details: unknown): number | undefined {
  for (const detail of objectsIn(details)) {
    const match = typeof detail.retryDelay === 'string' ? /^(\d{1,6}(?:\.\d{1,9})?)s$/.exec(detail.retryDelay) : null;
    if (match) return Math.max(1, Math.ceil(Number(match[1])));
  }
  return undefined;
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * What undici throws. `hasAnswer` tells whether the answer had begun: a connection that ends before is unreachable,
 * one that ends in the middle is a cut.
 */
export function transportError(error: unknown, hasAnswer: boolean): ChatError {
  if (error instanceof ChatError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const details = { cause: error, diagnosis: code || 'transport' };
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new ChatError('model_timeout', 'The model did not answer in time.', details);
  }
  const isNoHttp = error instanceof Error && error.name === 'HTTPParserError';
  if (isNoHttp || code === 'UND_ERR_HEADERS_OVERFLOW') return protocolError('something that is not HTTP', error);
  if (!hasAnswer || UNREACHABLE.has(code)) {
    return new ChatError('model_unreachable', 'The model cannot be reached.', details);
  }
  return new ChatError('model_protocol_error', "The model's answer was cut off.", details);
}
