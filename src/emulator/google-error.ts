// Errors as Google's APIs write them: google.rpc.Status in JSON.
import type { JsonObject } from './json.ts';

const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

const MESSAGES: Readonly<Record<number, string>> = {
  400: 'Request contains an invalid argument.',
  401: 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
  403: "Permission 'aiplatform.endpoints.predict' denied on resource (or it may not exist).",
  404: 'Publisher Model was not found or your project does not have access to it.',
  429: 'Resource exhausted. Please try again later.',
  499: 'The operation was cancelled.',
  500: 'Internal error encountered.',
  503: 'The model is overloaded. Please try again later.',
  504: 'Deadline expired before operation could complete.',
};

const RETRY_AFTER_SECONDS = 1;

export class GoogleError extends Error {
  readonly code: number;
  readonly details: readonly JsonObject[];
  readonly status: string;

  constructor(
    code: number,
    message = MESSAGES[code] ?? `Error ${code}.`,
    details: readonly JsonObject[] = [],
    status = STATUS_NAMES[code] ?? 'UNKNOWN',
  ) {
    super(message);
    this.name = 'GoogleError';
    this.code = code;
    this.details = details;
    this.status = status;
  }
}

/** A 400 about the model and not about the request. */
export function failedPrecondition(message: string): GoogleError {
  return new GoogleError(400, message, [], 'FAILED_PRECONDITION');
}

/** A 400 about the request. `field` is the path of the offending field, when one can be named. */
export function invalidArgument(message: string, field?: string): GoogleError {
  if (!field) return new GoogleError(400, message);
  const fieldViolations = [{ field, description: message }];
  return new GoogleError(400, message, [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations }]);
}

/** The error a fault asks for; 429 says when to come back, as the real one sometimes does. */
export function requestedError(code: number): GoogleError {
  if (code !== 429) return new GoogleError(code);
  const retryInfo = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${RETRY_AFTER_SECONDS}s` };
  return new GoogleError(code, undefined, [retryInfo]);
}

export function errorBody(error: GoogleError): JsonObject {
  const { code, message, status, details } = error;
  return { error: { code, message, status, ...(details.length > 0 && { details }) } };
}

export function errorHeaders(error: GoogleError): Readonly<Record<string, string>> {
  return error.code === 429 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {};
}

/** The page a Google front end shows when the request never reached an API. */
export function errorPage(code: number): string {
  return `<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <title>Error ${code}!!1</title>
  <p><b>${code}.</b> <ins>That’s an error.</ins>
  <p>The server could not answer this request.  <ins>That’s all we know.</ins>
`;
}
