// What the answers of the service say about a turn, as the checker reads them.

import { expect, test } from 'vitest';
import { toldByAnswer } from '../../chaos/outcome.ts';

const problem = (code: string, more: object = {}) => ({ type: `/docs/problems#${code}`, status: 503, code, ...more });

test('a turn that a problem names in its body has failed', () => {
  const told = toldByAnswer(503, problem('draining', { sessionId: 's', turnId: 't' }), 't');
  expect(told).toMatchObject({
    outcome: 'fail',
    turnId: 't',
    turn: { turnId: 't', state: 'FAILED', code: 'draining' },
  });
});

test('of a turn that a problem names in its header alone nothing is known: it may go on elsewhere', () => {
  for (const code of ['draining', 'log_expired', 'store_unavailable']) {
    expect(toldByAnswer(503, problem(code), 't')).toEqual({ outcome: 'info', status: 503, code, turnId: 't' });
  }
});

test('a refusal of the request is one, whichever turn it names', () => {
  for (const code of ['turn_in_progress', 'idempotency_mismatch']) {
    expect(toldByAnswer(409, problem(code), 't')).toEqual({ outcome: 'fail', status: 409, code, turnId: 't' });
  }
});

test('without a turn nothing has begun, unless the service does not know itself', () => {
  expect(toldByAnswer(503, problem('draining'), undefined)).toMatchObject({ outcome: 'fail' });
  expect(toldByAnswer(500, problem('internal'), undefined)).toMatchObject({ outcome: 'info' });
});
