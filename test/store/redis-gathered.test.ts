// What is written together with others, and who sees it when.

import { afterEach, describe, expect, it } from 'vitest';
import { aMoment, Gathered } from '../../src/adapters/redis/gathered.ts';
import { until } from '../support/until.ts';

const done: [string, readonly string[]][] = [];
const gathered = () => new Gathered<string>(aMoment, (owner, items) => void done.push([owner, items]));

afterEach(() => {
  done.length = 0;
});

describe('what is gathered', () => {
  it('is done together, for each owner, the newest of a name', async () => {
    const all = gathered();
    all.add('alice', 'a', 'a1');
    all.add('alice', 'b', 'b1');
    all.add('bob', 'a', 'bob');
    all.add('alice', 'a', 'a2');
    expect(done).toEqual([]);
    await until('it is done', () => done.length === 2);
    expect(done).toEqual([
      ['alice', ['a2', 'b1']],
      ['bob', ['bob']],
    ]);
  });

  it('is done at once for whoever looks, and once', async () => {
    const all = gathered();
    all.add('alice', 'a', 'a1');
    all.add('bob', 'a', 'bob');
    all.flushOf('alice');
    all.flushOf('nobody');
    expect(done).toEqual([['alice', ['a1']]]);
    all.flush();
    expect(done).toEqual([
      ['alice', ['a1']],
      ['bob', ['bob']],
    ]);
  });

  it('does not wait when there is much', () => {
    const all = gathered();
    for (let at = 0; at < 250; at += 1) all.add('alice', String(at), String(at));
    expect(done.map(([, items]) => items.length)).toEqual([100, 100]);
    all.flush();
    expect(done.flatMap(([, items]) => items)).toHaveLength(250);
  });
});
