// What an answer says about a turn: it is in the history, it is not, or nobody knows.

import type { Frame, Outcome, TurnView } from './evidence.ts';

export interface Told {
  readonly outcome: Outcome;
  readonly status: number;
  readonly code?: string;
  readonly turnId?: string;
  readonly turn?: TurnView;
}

interface Problem {
  readonly code?: string;
  readonly turnId?: string;
}

interface TurnBody extends Problem {
  readonly state?: string;
  readonly text?: string;
  readonly messages?: readonly string[];
  readonly sessionVersion?: number;
  readonly problem?: Problem;
}

/** Codes after which the turn, when there is one, may be in the history as well as not. */
const UNKNOWN: readonly string[] = ['store_unavailable', 'internal'];

/** About the request, also when the turn it names is another's, or gone with its session. */
const REFUSALS: readonly string[] = [
  'session_not_found',
  'turn_in_progress',
  'turn_exists',
  'queue_full',
  'idempotency_mismatch',
  'version_mismatch',
];

/** `undefined` when the body is no turn. */
export function turnOf(body: unknown): TurnView | undefined {
  const { turnId, state, text = '', messages, sessionVersion, problem } = (body ?? {}) as TurnBody;
  if (turnId === undefined || state === undefined) return undefined;
  return {
    turnId,
    state,
    text,
    ...(messages ? { messages } : {}),
    ...(sessionVersion === undefined ? {} : { sessionVersion }),
    ...(problem?.code === undefined ? {} : { code: problem.code }),
  };
}

/** A JSON answer of a send; `status` 0 when there was none. */
export function toldByAnswer(status: number, body: unknown, header: string | undefined): Told {
  if (status === 0) return { outcome: 'info', status };
  const turn = turnOf(body);
  if (turn) return { outcome: outcomeOf(turn), status, turnId: turn.turnId, turn };
  const { code = '', turnId: ended } = (body ?? {}) as Problem;
  const turnId = ended ?? header;
  if (turnId === undefined) return { outcome: code === 'internal' ? 'info' : 'fail', status, code };
  if (REFUSALS.includes(code)) return { outcome: 'fail', status, code, turnId };
  // What ended a turn names it in the body. The header alone says which turn the request was about: it may go on, as that
  // of a send that is refused because its replica is being shut down, while the turn runs on another one.
  if (ended === undefined || UNKNOWN.includes(code)) return { outcome: 'info', status, code, turnId };
  return { outcome: 'fail', status, code, turnId, turn: { turnId, state: 'FAILED', text: '', code } };
}

/** The terminal event of a stream; without one nobody knows. */
export function toldByFrames(frames: readonly Frame[], terminals: readonly string[]): Told {
  const last = frames.findLast(({ event }) => terminals.includes(event));
  const turn = last && turnOf(JSON.parse(last.data));
  if (!turn) return { outcome: 'info', status: 200 };
  // The turn is open then: what the event says of it is not for ever.
  if (UNKNOWN.includes(turn.code ?? '')) {
    return {
      outcome: 'info',
      status: 200,
      turnId: turn.turnId,
      ...(turn.code === undefined ? {} : { code: turn.code }),
    };
  }
  return { outcome: outcomeOf(turn), status: 200, turnId: turn.turnId, turn };
}

function outcomeOf({ state, messages }: TurnView): Outcome {
  if (state === 'RUNNING' || state === 'QUEUED') return 'info';
  return messages && messages.length > 0 ? 'ok' : 'fail';
}

/** Any other operation: an answer of the 500s may come after the deed. */
export function outcomeOfStatus(status: number): Outcome {
  if (status >= 200 && status < 300) return 'ok';
  return status === 0 || status >= 500 ? 'info' : 'fail';
}
