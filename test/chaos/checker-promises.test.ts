// The checker finds a single answer that promised what was not so.

import { describe, expect, test } from 'vitest';
import { check } from '../../chaos/checker.ts';
import type { Disturbed } from '../../chaos/evidence.ts';
import { Fabricated, frame, SESSION, segment } from './fabricated.ts';

function found(run: Fabricated, ...disturbed: readonly Disturbed[]): readonly string[] {
  return check(run.evidence({ disturbed })).map(({ invariant }) => invariant);
}

function disturbance(own: Partial<Disturbed>): Disturbed {
  return { lane: 'replica', kind: 'replica SIGKILL', fromMs: 0, toMs: 100, what: '', ...own };
}

describe('a send that was refused', () => {
  function refused(code: string): Fabricated {
    const run = new Fabricated();
    run.send({ token: 'q-1', wanted: 't-1', outcome: 'fail', status: 409, code });
    run.read();
    return run;
  }

  test('and has left no turn is well', () => {
    const run = refused('turn_in_progress');
    run.add('turn', { turnId: 't-1', outcome: 'fail', status: 404, code: 'turn_not_found' });
    expect(found(run)).toEqual([]);
  });

  test('and has left one is found', () => {
    const run = refused('turn_in_progress');
    run.add('turn', { turnId: 't-1', turn: { turnId: 't-1', state: 'BLOCKED', text: '' } });
    expect(found(run)).toEqual(['I2']);
  });

  test('because its id is taken may name the turn that has it', () => {
    const run = refused('turn_exists');
    run.add('turn', { turnId: 't-1', turn: { turnId: 't-1', state: 'BLOCKED', text: '' } });
    expect(found(run)).toEqual([]);
  });
});

test('a session that exists already when it is made for the first time is found', () => {
  const run = new Fabricated();
  run.operations.length = 0;
  run.add('create', { outcome: 'fail', status: 409, code: 'session_exists' });
  expect(found(run)).toEqual(['I9']);
});

describe('a cancel', () => {
  function answered(afterMs: number): Fabricated {
    const run = new Fabricated();
    const turn = { turnId: 't-1', state: 'RUNNING', text: '' };
    run.add('cancel', { turnId: 't-1', keep: 'none', status: 202, turn, beganMs: 20, endedMs: 20 + afterMs });
    run.read();
    return run;
  }

  test('that is answered before its turn has settled is found', () => {
    expect(found(answered(50))).toEqual(['I14']);
  });

  test('whose turn takes its time, or whose store was away, is well', () => {
    expect(found(answered(20_000))).toEqual([]);
    expect(found(answered(50), disturbance({ lane: 'redis', kind: 'redis SIGKILL' }))).toEqual([]);
  });
});

describe('a line', () => {
  /** `t-1` is told to wait at 25 ms and starts with the epoch 5; `t-2` starts with this one. */
  function line(epoch: number, own: { readonly beganMs?: number; readonly isInterrupting?: boolean } = {}): Fabricated {
    const run = new Fabricated();
    const waiting = { ...frame('0-1', 'turn.queued'), atMs: 25 };
    const one = segment([waiting, frame('5-1', 'turn.started')], { end: 'left' });
    run.send({ token: 'q-1', turnId: 't-1', outcome: 'info', segments: [one] });
    const other = segment([frame(`${epoch}-1`, 'turn.started')], { end: 'left' });
    run.send({ token: 'q-2', turnId: 't-2', outcome: 'info', segments: [other], ...own });
    return run;
  }

  test('in which nobody is overtaken is well', () => {
    expect(found(line(6))).toEqual([]);
  });

  test('in which somebody is overtaken by who came later is found', () => {
    expect(found(line(4))).toEqual(['I3']);
  });

  test('may be passed by who interrupts, and by who was sent before anybody was told to wait', () => {
    expect(found(line(4, { isInterrupting: true }))).toEqual([]);
    expect(found(line(4, { beganMs: 24 }))).toEqual([]);
  });
});

describe('a producer that was lost', () => {
  function lost(): Fabricated {
    const run = new Fabricated();
    const turn = { turnId: 't-1', state: 'FAILED', text: '', code: 'producer_lost' };
    run.send({ token: 'q-1', turnId: 't-1', outcome: 'fail', status: 502, turn });
    run.read();
    return run;
  }

  test('without a reason is found', () => {
    const late = disturbance({ fromMs: 500, toMs: 900 });
    const ofModel = disturbance({ lane: 'network', kind: 'network to model: cut' });
    const resent = disturbance({ lane: 'step', kind: 'reply of finish lost' });
    expect(found(lost(), late, ofModel, resent)).toEqual(['I3']);
  });

  test('when its process was killed, or its store was slow, is well', () => {
    expect(found(lost(), disturbance({}))).toEqual([]);
    expect(found(lost(), disturbance({ lane: 'step', kind: 'reply of begin late' }))).toEqual([]);
  });
});

test('a session that is watched when all clients have gone is found', () => {
  const run = new Fabricated();
  const channels = [`chaos:{owner:${SESSION}}:meta`];
  expect(check(run.evidence({ channels })).map(({ invariant }) => invariant)).toEqual(['I11']);
});
