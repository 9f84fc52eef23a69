// HISTORY_KEYS_FILE: what a file may hold, and how it is followed while the service runs.

import { chmodSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { followHistoryKeys } from '../../src/config/followed-keys.ts';
import type { HistoryKeys, HistoryKeysFile } from '../../src/config/history-keys.ts';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { HistoryKeysFixture, newKey } from '../support/history-keys.ts';
import { until } from '../support/until.ts';

let file: HistoryKeysFixture;
beforeEach(() => {
  file = new HistoryKeysFixture('k2', ['k1', 'k2']);
});
afterEach(() => file[Symbol.dispose]());

function problemsOf(path = file.path): readonly string[] {
  try {
    loadConfig({ HISTORY_KEYS_FILE: path });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function read(): HistoryKeysFile {
  const { historyKeys } = loadConfig({ HISTORY_KEYS_FILE: file.path });
  if (!historyKeys) throw new Error('there are keys');
  return historyKeys;
}

describe('a file of keys', () => {
  test('is read with all its keys', () => {
    const { current, keys } = read();
    expect(current).toBe('k2');
    expect([...keys].map(([id, bytes]) => [id, Buffer.from(bytes).toString('base64')])).toEqual([
      ['k1', file.keys.k1],
      ['k2', file.keys.k2],
    ]);
    expect(loadConfig({}).historyKeys).toBeUndefined();
  });

  test('is told to be open to all when everybody can read it', () => {
    chmodSync(file.path, 0o600);
    expect(read().isOpenToAll).toBe(false);
    chmodSync(file.path, 0o644);
    expect(read().isOpenToAll).toBe(true);
  });

  const key = newKey();
  test.each([
    ['no JSON', '{', 'not JSON'],
    ['another shape', '[]', '"current"'],
    ['no keys', '{"current":"k1"}', '"keys"'],
    ['one field more', `{"current":"k1","keys":{"k1":"${key}"},"more":1}`, '"keys"'],
    ['an empty set', '{"current":"k1","keys":{}}', 'no key'],
    ['a current key that is not there', `{"current":"k2","keys":{"k1":"${key}"}}`, '"current"'],
    ['a current key that is no text', `{"current":1,"keys":{"k1":"${key}"}}`, '"current"'],
    ['a key of 31 bytes', `{"current":"k1","keys":{"k1":"${Buffer.alloc(31, 1).toString('base64')}"}}`, 'k1 is not 32'],
    ['a key of 33 bytes', `{"current":"k1","keys":{"k1":"${Buffer.alloc(33, 1).toString('base64')}"}}`, 'k1 is not 32'],
    ['a key that is no base64', `{"current":"k1","keys":{"k1":"${'!'.repeat(44)}"}}`, 'k1 is not 32'],
    ['a key that is no text', '{"current":"k1","keys":{"k1":{}}}', 'k1 is not 32'],
    ['an id that is none', `{"current":"a b","keys":{"a b":"${key}"}}`, 'the id of a key'],
    ['an id that is too long', `{"current":"k","keys":{"${'k'.repeat(33)}":"${key}"}}`, 'the id of a key'],
    ['an id twice', `{"current":"k1","keys":{"k1":"${newKey()}","k1":"${key}"}}`, 'twice'],
    ['the same key twice', `{"current":"k1","keys":{"k1":"${key}","k2":"${key}"}}`, 'k1 and k2 are the same'],
  ])('with %s is refused by name, and no key is repeated', (_what, text, said) => {
    file.writeText(text);
    const problems = problemsOf();
    expect(problems).toEqual([expect.stringContaining('HISTORY_KEYS_FILE')]);
    expect(problems[0]).toContain(said);
    expect(problems[0]).not.toContain(key);
  });

  test('that cannot be read is refused by name, beside everything else that is wrong', () => {
    expect(problemsOf('/nowhere/keys.json')).toEqual([expect.stringContaining('HISTORY_KEYS_FILE')]);
    expect(() => loadConfig({ HISTORY_KEYS_FILE: '/nowhere', PORT: 'x' })).toThrow(/PORT[\s\S]*HISTORY_KEYS_FILE/);
  });
});

describe('a file of keys that changes', () => {
  const told: HistoryKeys[] = [];
  const refused: string[] = [];
  let stop: () => void;
  beforeEach(() => {
    told.length = 0;
    refused.length = 0;
    stop = followHistoryKeys(read(), {
      onKeys: (keys) => told.push(keys),
      onRefused: (reason) => refused.push(reason),
    });
  });
  afterEach(() => stop());
  const idsOf = (keys: HistoryKeys | undefined) => keys && [keys.current, ...keys.keys.keys()];

  test('is read again within 5 s, and told once', async () => {
    file.write('k3', ['k1', 'k2', 'k3']);
    await until('the new keys are told', () => told.length > 0, { deadlineMs: 5000 });
    file.write('k3', ['k3', 'k2']);
    await until('a key that is not needed is gone', () => told.length > 1, { deadlineMs: 5000 });
    expect(told.map(idsOf)).toEqual([
      ['k3', 'k1', 'k2', 'k3'],
      ['k3', 'k3', 'k2'],
    ]);
    expect(refused).toEqual([]);
  });

  test('goes on with what it had while it cannot be used, says why once, and takes what is good again', async () => {
    file.writeText('{"current":');
    await until('it is refused', () => refused.length > 0, { deadlineMs: 5000 });
    file.write('k1', ['k1']);
    await until('the loss of the current key is refused', () => refused.length > 1, { deadlineMs: 5000 });
    file.writeText(JSON.stringify({ current: 'k2', keys: { k1: newKey(), k2: file.keys.k2 } }));
    await until('another key of the same name is refused', () => refused.length > 2, { deadlineMs: 5000 });
    file.write('k1', ['k1', 'k2']);
    await until('the new keys are told', () => told.length > 0, { deadlineMs: 5000 });
    expect(refused).toEqual([
      'is not JSON',
      expect.stringContaining('k2 is gone'),
      expect.stringContaining('k1 is another key'),
    ]);
    expect(told.map(idsOf)).toEqual([['k1', 'k1', 'k2']]);
  });
});
