// The checker finds what must never be seen by somebody who follows a session.

import { expect, test } from 'vitest';
import { check } from '../../chaos/checker.ts';
import type { Disturbed, Frame, Segment } from '../../chaos/evidence.ts';
import { Fabricated, frame, segment } from './fabricated.ts';

const CUT_OFF: Disturbed = { lane: 'network', kind: 'network to redis: cut', fromMs: 0, toMs: 50, what: '' };
const REAPED = 4294967295;

function turn(epoch: number): readonly [Frame, Frame, Frame] {
  const atMs = epoch;
  return [
    { ...frame(`${epoch}-1`, 'turn.started'), atMs },
    { ...frame(`${epoch}-2`, 'candidate.delta', { text: 'a' }), atMs },
    { ...frame(`${epoch}-3`, 'turn.blocked'), atMs },
  ];
}

function found(segments: readonly Segment[], ...disturbed: readonly Disturbed[]): readonly string[] {
  const run = new Fabricated();
  run.add('follow', { segments });
  return check(run.evidence({ disturbed })).map(({ invariant }) => invariant);
}

test('turns one after the other, over several connections, are well', () => {
  const [started, delta, ended] = turn(5);
  const second = segment([delta, ended, ...turn(6)], { replica: 1, after: started.id });
  expect(found([segment([started], { end: 'left' }), second])).toEqual([]);
});

test('an event that comes twice, and one that is missing, are found', () => {
  const [started, delta, ended] = turn(5);
  expect(found([segment([started, delta]), segment([delta, ended], { after: started.id })])).toEqual(['I7']);
  expect(found([segment([started, ended])])).toEqual(['I7']);
});

test('a turn that begins in its middle is found', () => {
  expect(found([segment(turn(5).slice(1))])).toEqual(['I7']);
  expect(found([segment([...turn(5), ...turn(6).slice(1)])])).toEqual(['I7']);
});

test('a turn that is left without an end is found, unless its viewer was cut off', () => {
  const segments = [segment([...turn(5).slice(0, 2), ...turn(7)])];
  expect(found(segments)).toEqual(['I7']);
  expect(found(segments, CUT_OFF)).toEqual([]);
});

test('an older turn after a newer one, and an event after the last one, are found', () => {
  expect(found([segment([...turn(6), ...turn(5)])])).toEqual(['I7']);
  expect(found([segment([...turn(5), frame('5-4', 'turn.failed')])])).toEqual(['I7']);
});

test('a turn whose producer was lost ends with the event of its reaper', () => {
  const end = frame(`5-${REAPED}`, 'turn.failed', { problem: { code: 'model_timeout' } });
  expect(found([segment([...turn(5).slice(0, 2), end])])).toEqual([]);
  expect(found([segment([end, ...turn(6)])])).toEqual([]);
});

test('an event that differs from what a viewer of its turn has seen is found', () => {
  const run = new Fabricated();
  const [started, , ended] = turn(5);
  const other = segment([started, frame('5-2', 'candidate.delta', { text: 'b' }), ended]);
  run.add('watch', { turnId: 't-1', outcome: 'info', segments: [other] });
  run.add('follow', { segments: [segment(turn(5))] });
  expect(check(run.evidence()).map(({ invariant }) => invariant)).toEqual(['I7']);
});

test('the end of a deleted session may be told in other words by every replica', () => {
  const run = new Fabricated();
  const seen = (replica: number) => {
    const end = frame(`5-${REAPED}`, 'turn.cancelled', { endTime: replica });
    return segment([...turn(5).slice(0, 2), end], { replica });
  };
  for (const replica of [0, 1]) {
    run.add('watch', { turnId: 't-1', outcome: 'info', segments: [seen(replica)] });
    const waiting = [frame('0-1', 'turn.queued'), frame('0-2', 'turn.cancelled', { endTime: replica })];
    run.add('watch', { turnId: 't-2', outcome: 'info', segments: [segment(waiting, { replica })] });
  }
  expect(check(run.evidence()).map(({ invariant }) => invariant)).toEqual([]);
});
