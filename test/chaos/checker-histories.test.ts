// The checker finds what must never be in a history, and nothing where all is well.

import { describe, expect, test } from 'vitest';
import { check } from '../../chaos/checker.ts';
import type { TurnView } from '../../chaos/evidence.ts';
import { Fabricated } from './fabricated.ts';

function found(run: Fabricated): readonly string[] {
  return check(run.evidence()).map(({ invariant }) => invariant);
}

test('a run in which all was well has no violations', () => {
  const run = new Fabricated();
  run.commit();
  run.send({ outcome: 'fail', status: 409, code: 'turn_in_progress' });
  run.add('patch', { displayName: 'a', version: 3 });
  run.commit({ turn: undefined as never, outcome: 'info', status: 0 });
  run.read(run.messages, 4);
  expect(check(run.evidence())).toEqual([]);
});

describe('I1: an acknowledged turn', () => {
  test('that is not in the history is found', () => {
    const run = new Fabricated();
    run.commit();
    run.commit();
    run.read(run.messages.slice(0, 2), 3);
    expect(found(run)).toContain('I1');
  });

  test('that is there twice is found', () => {
    const run = new Fabricated();
    const { send } = run.commit();
    run.remember(send.token);
    run.read();
    expect(found(run)).toContain('I1');
  });

  test('with other messages than were acknowledged is found', () => {
    const run = new Fabricated();
    run.commit();
    const [question, answer] = run.messages;
    if (!question || !answer) throw new Error('a turn has two messages');
    run.read([question, { ...answer, id: 'other' }]);
    expect(found(run)).toContain('I1');
  });

  test('that stands after one that was sent later is found', () => {
    const run = new Fabricated();
    run.commit({ token: 'q-late', beganMs: 500, endedMs: 600 });
    run.commit({ token: 'q-early', beganMs: 100, endedMs: 200 });
    run.read();
    expect(found(run)).toContain('I1');
  });

  test('that was sent again with its key after later ones stands where it stood', () => {
    const run = new Fabricated();
    const { send, turn } = run.commit({ key: 'k' });
    run.commit();
    run.send({ token: send.token, key: 'k', turnId: turn.turnId, turn });
    run.commit();
    run.read();
    expect(found(run)).toEqual([]);
  });

  test('a message that nobody has sent is found', () => {
    const run = new Fabricated();
    run.remember('q-nobody');
    run.read();
    expect(found(run)).toEqual(['I1']);
  });

  test('a session that is gone and was never deleted is found', () => {
    const run = new Fabricated();
    run.send({ outcome: 'fail', status: 404, code: 'session_not_found' });
    expect(found(run)).toEqual(['I1']);
  });
});

describe('I2: a turn that was not acknowledged', () => {
  test('may be there whole', () => {
    const run = new Fabricated();
    run.remember('q-unknown');
    run.send({ token: 'q-unknown', outcome: 'info', status: 0 });
    run.read();
    expect(found(run)).toEqual([]);
  });

  test('with a question and no answer is found', () => {
    const run = new Fabricated();
    run.remember('q-unknown');
    run.send({ token: 'q-unknown', outcome: 'info', status: 0 });
    run.read(run.messages.slice(0, 1), 2);
    expect(found(run)).toContain('I2');
  });

  test('with half of its answer is found', () => {
    const run = new Fabricated();
    run.remember('q-unknown');
    run.send({ token: 'q-unknown', outcome: 'info', status: 0 });
    run.read(run.messages.map((one) => (one.author === 'bot' ? { ...one, content: one.content.slice(0, -4) } : one)));
    expect(found(run)).toEqual(['I2']);
  });

  test('whose partial answer was asked for is no violation', () => {
    const run = new Fabricated();
    const { turnId } = run.remember('q-cut');
    run.send({ token: 'q-cut', outcome: 'info', status: 0, turnId });
    run.add('cancel', { turnId, keep: 'partial' });
    run.read(run.messages.map((one) => (one.author === 'bot' ? { ...one, content: one.content.slice(0, -4) } : one)));
    expect(found(run)).toEqual([]);
  });

  test('that was refused and is there is found', () => {
    const run = new Fabricated();
    run.remember('q-refused');
    run.send({ token: 'q-refused', outcome: 'fail', status: 503, code: 'store_unavailable' });
    run.read();
    expect(found(run)).toEqual(['I2']);
  });

  test('that was told to have failed and is there is found, also when another attempt is unknown', () => {
    const run = new Fabricated();
    const { turnId } = run.remember('q-failed');
    run.send({ token: 'q-failed', outcome: 'info', status: 0 });
    const turn = { turnId, state: 'FAILED', text: '', code: 'model_timeout' };
    run.send({ token: 'q-failed', outcome: 'fail', status: 502, turnId, turn });
    run.read();
    expect(found(run)).toEqual(['I2']);
  });
});

describe('I2, when its session is deleted', () => {
  test.each([
    ['before', []],
    ['after', ['I2']],
  ])('a turn that is told to be cancelled %s the end of its stream is a violation or not', (when, violations) => {
    const run = new Fabricated();
    const { send, turn } = run.commit({ outcome: 'info', status: 0 });
    run.read();
    const at = when === 'before' ? send.endedMs + 1000 : send.endedMs + 3000;
    const { messages: _messages, ...rest } = turn;
    Object.assign(send, { outcome: 'fail', status: 200, endedMs: at, turn: { ...rest, state: 'CANCELLED' } });
    run.add('delete', { beganMs: when === 'before' ? at - 500 : at + 500, endedMs: at + 600 });
    expect(found(run)).toEqual(violations);
  });
});

describe('I3, I4: the shape of a history', () => {
  test('two turns that are interleaved are found', () => {
    const run = new Fabricated();
    run.commit();
    run.commit();
    const [q1, a1, q2, a2] = run.messages;
    if (!q1 || !a1 || !q2 || !a2) throw new Error('two turns have four messages');
    run.read([q1, q2, a1, a2]);
    expect(found(run)).toEqual(expect.arrayContaining(['I3', 'I4']));
  });

  test('an answer to another history is found', () => {
    const run = new Fabricated();
    run.commit();
    run.commit();
    const [, , q2, a2] = run.messages;
    if (!q2 || !a2) throw new Error('two turns have four messages');
    run.read([q2, a2], 3);
    expect(found(run)).toContain('I4');
  });

  test('contents that the model refuses are found', () => {
    const run = new Fabricated();
    const modelCalls = [{ token: 'q-1', contents: 2, refusal: 'roles have to alternate' }];
    expect(check(run.evidence({ modelCalls })).map(({ invariant }) => invariant)).toEqual(['I4']);
  });

  test('two turns with one version are found', () => {
    const run = new Fabricated();
    const { turn } = run.commit();
    const { send } = run.commit();
    run.operations[send.number] = {
      ...send,
      turn: { ...turn, ...send.turn, turnId: 'other', sessionVersion: 2 } as TurnView,
    };
    run.read();
    expect(found(run)).toContain('I3');
  });

  test('a version that has grown by more than there were changes is found', () => {
    const run = new Fabricated();
    run.commit();
    run.add('patch', { displayName: 'a', outcome: 'info', status: 503 });
    run.read(run.messages, 4);
    expect(found(run)).toEqual(['I3']);
  });

  test('a change whose outcome is unknown may have been made or not', () => {
    for (const version of [2, 3]) {
      const run = new Fabricated();
      run.commit();
      run.add('patch', { displayName: 'a', outcome: 'info', status: 503 });
      run.read(run.messages, version);
      expect(found(run)).toEqual([]);
    }
  });
});

describe('I5, I6: reads', () => {
  test('a replica that does not show what was acknowledged before is found', () => {
    const run = new Fabricated();
    run.commit();
    run.add('history', { messages: [], replica: 1 });
    run.read();
    expect(found(run)).toEqual(['I5']);
  });

  test('a read that began before the acknowledgement may be without it', () => {
    const run = new Fabricated();
    run.commit({ beganMs: 0, endedMs: 500 });
    run.add('history', { messages: [], beganMs: 400, endedMs: 600 });
    run.read();
    expect(found(run)).toEqual([]);
  });

  test('a message that was read and is gone later is found', () => {
    const run = new Fabricated();
    run.remember('q-unknown');
    run.send({ token: 'q-unknown', outcome: 'info', status: 0 });
    run.add('history', { messages: [...run.messages] });
    run.read([], 1);
    expect(found(run)).toContain('I6');
  });

  test('a count that goes back is found', () => {
    const run = new Fabricated();
    run.commit();
    run.add('history', { messages: [...run.messages] });
    run.add('session', { messageCount: 0, version: 2 });
    run.read();
    expect(found(run)).toEqual(['I6']);
  });

  test('a session that is read after it was deleted is found', () => {
    const run = new Fabricated();
    run.add('delete', { status: 204 });
    run.add('session', { version: 1, messageCount: 0 });
    expect(found(run)).toEqual(['I5']);
  });

  test('a session that is gone while somebody deletes it is no violation', () => {
    const run = new Fabricated();
    run.commit();
    run.add('delete', { status: 0, outcome: 'info', beganMs: 100, endedMs: 900 });
    run.send({ outcome: 'fail', status: 404, code: 'session_not_found', beganMs: 200, endedMs: 300 });
    expect(found(run)).toEqual([]);
  });
});
