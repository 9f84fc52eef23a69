// The one error of the client: what the service answered instead of what was asked for, or that it did not answer.

import type { Problem, ProblemCode } from '../chat/errors.ts';

/** Problem details (RFC 9457) as the service sends them. Fields that this version does not know are kept. */
export interface ProblemDetails extends Omit<Problem, 'code'> {
  readonly code: ProblemCode | (string & {});
  /** Every bad field of the request. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** The turn that holds the session (`turn_in_progress`). */
  readonly activeTurn?: { readonly turnId: string; readonly eventsUrl: string };
  /** The version that the session has (`version_mismatch`). */
  readonly currentVersion?: number;
  readonly retryAfterS?: number;
  readonly sessionId?: string;
  readonly turnId?: string;
  readonly [field: string]: unknown;
}

export interface ErrorFacts {
  readonly status?: number | undefined;
  readonly problem?: ProblemDetails | undefined;
  readonly sessionId?: string | undefined;
  readonly turnId?: string | undefined;
  readonly retryable?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Statuses of gateways and loads: the same request may succeed later. */
const RETRYABLE_STATUSES: readonly number[] = [408, 429, 502, 503, 504];

export class ChatProxyError extends Error {
  override readonly name = 'ChatProxyError';
  /** What programs look at. `undefined` when it was not the service that spoke: no connection, a page of a proxy. */
  readonly code: ProblemCode | (string & {}) | undefined;
  /** Of the HTTP answer, or of a failed turn's problem; `undefined` when there was none. */
  readonly status: number | undefined;
  readonly problem: ProblemDetails | undefined;
  readonly sessionId: string | undefined;
  /** The turn that was asked for. The service knows it only if the message has reached it: `chat.turn(turnId)` tells. */
  readonly turnId: string | undefined;
  /** The same request may succeed later. After a send without any answer look at the turn first, or it is sent twice. */
  readonly retryable: boolean;
  /** Not before so long, if the answer said so (`Retry-After`). */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, facts: ErrorFacts = {}) {
    const { cause, problem, status, sessionId, turnId, retryable, retryAfterMs } = facts;
    super(message, cause === undefined ? {} : { cause });
    this.code = problem?.code;
    this.status = status ?? problem?.status;
    this.problem = problem;
    this.sessionId = problem?.sessionId ?? sessionId;
    this.turnId = problem?.turnId ?? turnId;
    this.retryable = problem?.retryable ?? retryable ?? RETRYABLE_STATUSES.includes(status ?? 0);
    const { retryAfterS } = problem ?? {};
    this.retryAfterMs = retryAfterMs ?? (typeof retryAfterS === 'number' ? retryAfterS * 1000 : undefined);
  }
}

/** The problem of an answer or of a turn as an error. */
export function problemError(problem: ProblemDetails, facts: ErrorFacts = {}): ChatProxyError {
  return new ChatProxyError(problem.detail || problem.title || problem.code, { ...facts, problem });
}

/** A problem, if that is what it is: whatever else is JSON is somebody else's error. */
export function asProblem(value: unknown): ProblemDetails | undefined {
  const isProblem = typeof value === 'object' && value !== null && typeof (value as ProblemDetails).code === 'string';
  return isProblem ? (value as ProblemDetails) : undefined;
}
