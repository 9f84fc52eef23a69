// What a send may be answered with instead of a turn.

import type { ProblemCode } from '../../chat/errors.ts';

export const SEND_PROBLEMS: readonly ProblemCode[] = [
  'session_not_found',
  'turn_in_progress',
  'turn_exists',
  'history_full',
  'version_mismatch',
  'unsupported_by_model',
  'model_overloaded',
  'model_error',
  'model_unreachable',
  'model_protocol_error',
  'answer_too_large',
  'producer_lost',
  'draining',
  'model_timeout',
];
