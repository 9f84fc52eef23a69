// What may be answered instead of a turn, and instead of anything that the model is asked.

import type { ProblemCode } from '../../chat/errors.ts';

export const MODEL_PROBLEMS: readonly ProblemCode[] = [
  'unsupported_by_model',
  'model_overloaded',
  'model_error',
  'model_unreachable',
  'model_protocol_error',
  'answer_too_large',
  'model_timeout',
];

export const SEND_PROBLEMS: readonly ProblemCode[] = [
  'session_not_found',
  'turn_in_progress',
  'queue_full',
  'turn_exists',
  'history_full',
  'budget_exhausted',
  'version_mismatch',
  'idempotency_mismatch',
  'producer_lost',
  'log_expired',
  'overloaded',
  'draining',
  ...MODEL_PROBLEMS,
];

export const REGENERATE_PROBLEMS: readonly ProblemCode[] = ['turn_not_found', 'not_latest_turn', ...SEND_PROBLEMS];
