// Errors as clients read them: RFC 9457 problem details. The domain knows codes, this file knows statuses; a code
// without a status does not compile.

import { asChatError, type ChatError, type Problem, type ProblemCode, type TurnAddress } from '../chat/errors.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

const STATUS = {
  invalid_argument: 400,
  invalid_page_token: 400,
  unauthenticated: 401,
  forbidden: 403,
  session_not_found: 404,
  turn_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  turn_in_progress: 409,
  queue_full: 409,
  session_exists: 409,
  turn_exists: 409,
  history_full: 409,
  not_latest_turn: 409,
  log_expired: 410,
  version_mismatch: 412,
  payload_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  unsupported_by_model: 422,
  rate_limited: 429,
  budget_exhausted: 429,
  model_overloaded: 429,
  headers_too_large: 431,
  internal: 500,
  model_error: 502,
  model_unreachable: 502,
  model_protocol_error: 502,
  answer_too_large: 502,
  producer_lost: 502,
  store_unavailable: 503,
  identity_unavailable: 503,
  overloaded: 503,
  draining: 503,
  model_timeout: 504,
} as const satisfies Record<ProblemCode, number>;

export function statusOf(code: ProblemCode): number {
  return STATUS[code];
}

export const PROBLEM_CODES = Object.keys(STATUS) as readonly ProblemCode[];

/** Codes whose answers always carry `Retry-After`, with the seconds to name when the cause named none. */
const RETRY_AFTER_S: Partial<Record<ProblemCode, number>> = {
  turn_in_progress: 1,
  rate_limited: 1,
  model_overloaded: 5,
  store_unavailable: 2,
  identity_unavailable: 2,
  overloaded: 2,
  draining: 1,
};

/** A path may be as long as the request line allows; the beginning of it will do. */
const INSTANCE_LENGTH_MAX = 1024;

/** Where the service is seen from outside: a gateway may strip a prefix. */
export interface PublicPaths {
  readonly basePath: string;
}

export function sessionPath(paths: PublicPaths, sessionId: string): string {
  return `${paths.basePath}/v1/sessions/${sessionId}`;
}

export function turnPath(paths: PublicPaths, turn: TurnAddress): string {
  return `${sessionPath(paths, turn.sessionId)}/turns/${turn.turnId}`;
}

export interface ProblemDetails extends Problem {
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly activeTurn?: { readonly turnId: string; readonly eventsUrl: string };
  readonly currentVersion?: number;
  readonly retryAfterS?: number;
  readonly sessionId?: string;
  readonly turnId?: string;
}

/** The problem of an error; of a turn when it ended one, of a session's route when it only concerns that. */
export function problemOf(
  error: unknown,
  paths: PublicPaths,
  about: Partial<TurnAddress> & { readonly path?: string } = {},
): ProblemDetails {
  const chatError = asChatError(error);
  const { code, details } = chatError;
  const { sessionId, turnId, path } = about;
  const requested = path === undefined ? undefined : `${paths.basePath}${path.slice(0, INSTANCE_LENGTH_MAX)}`;
  const instance = sessionId && turnId ? turnPath(paths, { sessionId, turnId }) : requested;
  const retryAfterS = details.retryAfterS ?? (chatError.retryable ? RETRY_AFTER_S[code] : undefined);
  return {
    type: `${paths.basePath}/docs/problems#${code}`,
    title: titleOf(code),
    status: STATUS[code],
    detail: chatError.message,
    ...(instance === undefined ? {} : { instance }),
    code,
    retryable: chatError.retryable,
    ...(details.fields ? { errors: details.fields } : {}),
    ...(details.activeTurnId && sessionId ? { activeTurn: activeTurnOf(paths, sessionId, details.activeTurnId) } : {}),
    ...(details.currentVersion === undefined ? {} : { currentVersion: details.currentVersion }),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
    ...(sessionId && turnId ? { sessionId, turnId } : {}),
  };
}

/** `DescribeProblem` of the domain: what a failed turn keeps and its last event says. */
export function turnProblem(paths: PublicPaths): (error: ChatError, turn: TurnAddress) => Problem {
  return (error, turn) => problemOf(error, paths, turn);
}

export function activeTurnOf(paths: PublicPaths, sessionId: string, turnId: string) {
  return { turnId, eventsUrl: `${turnPath(paths, { sessionId, turnId })}/events` };
}

/** `turn_in_progress` → `Turn in progress`. */
function titleOf(code: ProblemCode): string {
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
