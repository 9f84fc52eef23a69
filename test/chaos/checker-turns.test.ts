// The checker finds what must never be in a stream, an idempotent send, a store and a process.

import { describe, expect, test } from 'vitest';
import { check } from '../../chaos/checker.ts';
import type { Frame, Segment } from '../../chaos/evidence.ts';
import { Fabricated, frame, logOf, segment } from './fabricated.ts';

function found(run: Fabricated): readonly string[] {
  return check(run.evidence()).map(({ invariant }) => invariant);
}

/** A committed turn, watched on connections that a test makes of its log. */
function watched(connections: (log: readonly Frame[]) => readonly Segment[]): Fabricated {
  const run = new Fabricated();
  const turn = run.remember('q-1');
  const segments = connections(logOf(turn));
  run.send({ token: 'q-1', way: 'stream', turnId: turn.turnId, turn, segments });
  run.read();
  return run;
}

describe('I7, I8: streams', () => {
  test('a stream that was left and resumed without gap or duplicate is well', () => {
    const run = watched((log) => [
      segment(log.slice(0, 2), { end: 'left' }),
      segment(log.slice(2), { replica: 1, after: '1-2' }),
      segment([], { status: 204, after: '1-5' }),
    ]);
    expect(found(run)).toEqual([]);
  });

  test('an event that is delivered twice is found', () => {
    const run = watched((log) => [segment(log.slice(0, 2), { end: 'cut' }), segment(log.slice(1), { after: '1-2' })]);
    expect(found(run)).toContain('I7');
  });

  test('a gap is found', () => {
    const run = watched((log) => [segment(log.slice(0, 2), { end: 'cut' }), segment(log.slice(3), { after: '1-2' })]);
    expect(found(run)).toContain('I7');
  });

  test('a beginning that is missing is found', () => {
    expect(found(watched((log) => [segment(log.slice(1))]))).toContain('I7');
  });

  test('“nothing comes after” an event that is not the last is found', () => {
    const run = watched((log) => [segment(log), segment([], { status: 204, after: '1-2' })]);
    expect(found(run)).toEqual(['I7']);
  });

  test('a stream that never ends, and a viewer that is told of an internal error, are found', () => {
    const run = new Fabricated();
    run.add('watch', { outcome: 'info', turnId: 't', segments: [segment([], { end: 'endless' })] });
    run.add('watch', { outcome: 'info', turnId: 't', segments: [segment([], { status: 500 })] });
    expect(found(run)).toEqual(['I14', 'I14']);
  });

  test('an id that was given and is not taken is found', () => {
    const run = watched((log) => [
      segment(log.slice(0, 2), { end: 'cut' }),
      segment([], { status: 400, after: '1-2' }),
    ]);
    expect(found(run)).toEqual(['I7']);
  });

  test('a viewer for whom the log was made again from the record may see other events of the same answer', () => {
    for (const [text, invariants] of [
      ['', []],
      [' and more', ['I7']],
    ] as const) {
      const run = watched((log) => [segment(log)]);
      const [send] = run.operations.filter((operation) => operation.kind === 'send');
      if (send?.turn === undefined) throw new Error('it was sent');
      const { turn } = send;
      const again = [
        frame('0-1', 'turn.started', { turnId: turn.turnId }),
        frame('0-2', 'candidate.delta', { index: 0, text: turn.text + text }),
        frame('0-3', 'turn.committed', { ...turn, text: undefined }),
      ];
      run.add('watch', { turnId: turn.turnId, segments: [segment(again)] });
      expect(found(run)).toEqual(invariants);
    }
  });

  test('two viewers that see different bytes are found', () => {
    const run = watched((log) => [segment(log)]);
    const [send] = run.operations.filter((operation) => operation.kind === 'send');
    if (send?.turn === undefined) throw new Error('it was sent');
    const other = logOf(send.turn).map((one) => (one.id === '1-4' ? frame('1-4', one.event, { index: 1 }) : one));
    run.send({ token: 'q-1', way: 'stream', turnId: send.turn.turnId, turn: send.turn, segments: [segment(other)] });
    expect(found(run)).toContain('I7');
  });

  test('two terminal events are found', () => {
    const run = watched((log) => [segment([...log, frame('1-6', 'turn.failed', {})])]);
    expect(found(run)).toContain('I8');
  });

  test('an event after the terminal one is found', () => {
    const run = watched((log) => [segment([...log, frame('1-6', 'candidate.delta', { index: 0, text: '' })])]);
    expect(found(run)).toContain('I8');
  });

  test('a turn whose state changes after its end is found', () => {
    const run = watched((log) => [segment(log)]);
    const turn = { turnId: 't-q-1', state: 'FAILED', text: '', code: 'model_timeout' };
    run.add('turn', { turnId: 't-q-1', turn });
    expect(found(run)).toEqual(['I8']);
  });

  test.each([
    ['store_unavailable', 'RUNNING', []],
    ['store_unavailable', 'CANCELLED', []],
    ['store_unavailable', 'BLOCKED', ['I5']],
    ['draining', 'RUNNING', ['I5']],
  ])(
    'a turn whose send was refused as %s, and that was told as %s, and is not found later, is found or not',
    (code, state, violations) => {
      const run = new Fabricated();
      run.send({ outcome: 'fail', status: 503, code, wanted: 't-1' });
      run.add('turn', { turnId: 't-1', turn: { turnId: 't-1', state, text: '' } });
      run.add('turn', { turnId: 't-1', outcome: 'fail', status: 404, code: 'turn_not_found' });
      expect(found(run)).toEqual(violations);
    },
  );

  test('a turn that was told of and is not found later is found', () => {
    const run = watched((log) => [segment(log)]);
    run.add('turn', { turnId: 't-q-1', outcome: 'fail', status: 404, code: 'turn_not_found' });
    run.add('turn', { turnId: 't-nobody-knows', outcome: 'fail', status: 404, code: 'turn_not_found' });
    expect(found(run)).toEqual(['I5']);
  });

  test('a turn that runs again after its end is found', () => {
    const run = watched((log) => [segment(log)]);
    run.add('turn', { turnId: 't-q-1', turn: { turnId: 't-q-1', state: 'RUNNING', text: '' } });
    expect(found(run)).toEqual(['I8']);
  });
});

describe('I9: idempotency keys', () => {
  test('a resend that is told the same turn is well', () => {
    const run = new Fabricated();
    const { send, turn } = run.commit({ key: 'k' });
    run.send({ token: send.token, key: 'k', turnId: turn.turnId, turn });
    run.read();
    expect(found(run)).toEqual([]);
  });

  test('a key that is two turns is found', () => {
    const run = new Fabricated();
    const { send } = run.commit({ key: 'k' });
    const turn = { turnId: 'another', state: 'FAILED', text: '', code: 'model_error' };
    run.send({ token: send.token, key: 'k', outcome: 'fail', turnId: turn.turnId, turn });
    expect(found(run)).toEqual(['I9']);
  });

  test('a key that is taken for another body is found', () => {
    const run = new Fabricated();
    run.commit({ key: 'k' });
    run.commit({ key: 'k', hasOtherBody: true });
    run.read();
    expect(found(run)).toEqual(['I9']);
  });

  test('a model that is asked more often than its retries is found', () => {
    const run = new Fabricated();
    const { send } = run.commit();
    run.read();
    const modelCalls = Array.from({ length: 4 }, () => ({ token: send.token, contents: 1 }));
    expect(check(run.evidence({ modelCalls })).map(({ invariant }) => invariant)).toEqual(['I9']);
  });
});

describe('when all is over', () => {
  test('a turn that still runs is found', () => {
    const run = new Fabricated();
    run.add('turn', { turnId: 't', turn: { turnId: 't', state: 'RUNNING', text: '' }, isFinal: true });
    expect(found(run)).toEqual(['I3']);
  });

  test('a session that takes no turn any more is found', () => {
    const run = new Fabricated();
    run.send({ outcome: 'fail', status: 409, code: 'turn_in_progress', isProbe: true });
    expect(found(run)).toEqual(['I2']);
  });

  test('a key without an end, and a key of a deleted session, are found', () => {
    const run = new Fabricated();
    run.add('delete', { status: 204 });
    const keys = [
      { name: 'p:{owner:s2}:meta', ttlMs: -1 },
      { name: 'p:{owner:s1}:events', ttlMs: 1000 },
      { name: 'p:{owner:s11}:events', ttlMs: 1000 },
    ];
    expect(check(run.evidence({ keys })).map(({ message }) => message)).toEqual([
      'the key p:{owner:s2}:meta has no end',
      'the key p:{owner:s1}:events is left of a deleted session',
    ]);
  });

  test('a process that keeps files and memory, and one with an alarm in its log, are found', () => {
    const baseline = { fds: 30, rssMiB: 150, liveMiB: 30 };
    const processes = [
      { replica: 0, alarms: [], baseline, atEnd: { fds: 31, rssMiB: 400, liveMiB: 36 } },
      { replica: 1, alarms: [], baseline, atEnd: { fds: 300, rssMiB: 900, liveMiB: 90 } },
      { replica: 2, alarms: ['its log says: uncaughtException'] },
    ];
    const violations = check(new Fabricated().evidence({ processes }));
    expect(violations.map(({ invariant }) => invariant)).toEqual(['I11', 'I11', 'I16']);
  });

  test('an internal error is found', () => {
    const run = new Fabricated();
    run.send({ outcome: 'info', status: 500, code: 'internal' });
    expect(found(run)).toEqual(['I14']);
  });
});
