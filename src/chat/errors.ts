// The one error class of the domain, and the closed set of codes that a client can meet. The domain knows codes,
// the edge knows statuses (`http/problems.ts`), adapters translate foreign errors into these once.

export type ProblemCode =
  | 'invalid_argument'
  | 'invalid_page_token'
  | 'unauthenticated'
  | 'forbidden'
  | 'session_not_found'
  | 'turn_not_found'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'payload_too_large'
  | 'uri_too_long'
  | 'unsupported_media_type'
  | 'headers_too_large'
  | 'turn_in_progress'
  | 'queue_full'
  | 'session_exists'
  | 'turn_exists'
  | 'history_full'
  | 'not_latest_turn'
  | 'log_expired'
  | 'version_mismatch'
  | 'idempotency_mismatch'
  | 'unsupported_by_model'
  | 'rate_limited'
  | 'budget_exhausted'
  | 'model_overloaded'
  | 'internal'
  | 'model_error'
  | 'model_unreachable'
  | 'model_protocol_error'
  | 'answer_too_large'
  | 'producer_lost'
  | 'store_unavailable'
  | 'identity_unavailable'
  | 'overloaded'
  | 'draining'
  | 'model_timeout';

/** One bad field of a request. `path` is a JSON pointer into the body, or the name of a parameter. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface ChatErrorDetails {
  /** What went wrong underneath. Logged by name, never shown to a client. */
  readonly cause?: unknown;
  /** The same request, unchanged, may succeed later. */
  readonly retryable?: boolean;
  readonly retryAfterS?: number;
  readonly fields?: readonly FieldError[];
  /** The turn that holds the session (`turn_in_progress`). */
  readonly activeTurnId?: string;
  /** The version the session has now (`version_mismatch`). */
  readonly currentVersion?: number;
  /** A key or token was sent, and is not good; otherwise there was none (`unauthenticated`). */
  readonly isCredentialRefused?: boolean;
  /** Facts for the operator's log, never for a client. */
  readonly diagnosis?: string;
}

export class ChatError extends Error {
  override readonly name = 'ChatError';
  readonly code: ProblemCode;
  readonly details: ChatErrorDetails;

  constructor(code: ProblemCode, message: string, details: ChatErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  get retryable(): boolean {
    return this.details.retryable ?? RETRYABLE.has(this.code);
  }
}

/** A refusal of one field, in the form that validation gives to all of them. */
export function invalidField(path: string, message: string): ChatError {
  return new ChatError('invalid_argument', `${path || 'the body'} ${message}`, {
    fields: [{ path, message }],
  });
}

/** What is thrown becomes a ChatError exactly once: unknown errors are `internal`, with the original as cause. */
export function asChatError(error: unknown): ChatError {
  if (error instanceof ChatError) return error;
  return new ChatError('internal', 'The service failed unexpectedly.', {
    cause: error,
  });
}

const RETRYABLE: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'turn_in_progress',
  'queue_full',
  'rate_limited',
  'model_overloaded',
  'model_error',
  'model_unreachable',
  'model_protocol_error',
  'model_timeout',
  'producer_lost',
  'store_unavailable',
  'identity_unavailable',
  'overloaded',
  'draining',
]);

/**
 * An error as a client reads it (RFC 9457), and as a failed turn keeps it. The edge makes it, because it knows
 * statuses and addresses; the domain only carries it.
 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance?: string;
  readonly code: ProblemCode;
  readonly retryable: boolean;
}

export interface TurnAddress {
  readonly sessionId: string;
  readonly turnId: string;
}

/** Makes the public form of an error that ended a turn. */
export type DescribeProblem = (error: ChatError, turn: TurnAddress) => Problem;
