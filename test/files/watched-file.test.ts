// A file that changes while it is watched: every change is seen, nothing that makes no sense is taken, both are told once.

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WatchedFile } from '../../src/config/watched-file.ts';
import { until } from '../support/until.ts';

let folder: string;
let path: string;
let told: string[];
let file: WatchedFile<unknown>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csp-test-watched-'));
  path = join(folder, 'value.json');
  await writeFile(path, '1');
  told = [];
  const onChange = (error?: unknown) => void told.push(error === undefined ? `now ${file.value}` : 'bad');
  file = new WatchedFile<unknown>({ path, parse: JSON.parse, first: '1', everyMs: 5, onChange });
});
afterEach(async () => {
  file.close();
  await rm(folder, { recursive: true, force: true });
});

test('what is written is the value, also when the file is replaced or is a link that leads elsewhere then', async () => {
  await writeFile(path, '2');
  await until('it is written', () => file.value === 2);
  await writeFile(`${path}.new`, '3');
  await rename(`${path}.new`, path);
  await until('it is replaced', () => file.value === 3);
  // As Kubernetes mounts a map: the folder is a link, which is exchanged.
  for (const version of ['4', '5']) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'value.json'), version);
    await symlink(join(folder, version, 'value.json'), `${path}.link`);
    await rename(`${path}.link`, path);
    await until(`it leads to ${version}`, () => file.value === Number(version));
  }
  expect(told).toEqual(['now 2', 'now 3', 'now 4', 'now 5']);
});

test('what makes no sense, or is not there, leaves the last good value, and is told once', async () => {
  await writeFile(path, '{"half":');
  await until('it is told', () => told.length === 1);
  await rm(path);
  await until('so is this', () => told.length === 2);
  expect(file.value).toBe(1);
  await writeFile(path, '2');
  await until('it is good again', () => file.value === 2);
  expect(told).toEqual(['bad', 'bad', 'now 2']);
});

test('nothing is seen any more once it is closed', async () => {
  file.close();
  await writeFile(path, '2');
  const other = new WatchedFile<unknown>({
    path,
    parse: JSON.parse,
    first: '1',
    everyMs: 5,
    onChange: () => undefined,
  });
  await until('another one has seen it', () => other.value === 2);
  other.close();
  expect([file.value, told]).toEqual([1, []]);
});
