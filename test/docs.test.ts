// The documents say what is true: names, commands and files in them exist.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { VARIABLES } from '../src/config/environment.ts';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

test('docs/configuration.md names every variable, and no other', () => {
  const named = new Set(
    read('docs/configuration.md')
      .match(/`[A-Z][A-Z0-9_]+\b/g)
      ?.map((word) => word.slice(1)),
  );
  expect([...named].sort()).toEqual([...VARIABLES].sort());
});

test('the files that the documents link to exist', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
  const dead = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\(([^)#:]+)\)/g)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(new URL(path, root)))
      .map((path) => `${document}: ${path}`),
  );
  expect(dead).toEqual([]);
});

test('the paths in ARCHITECTURE.md exist', () => {
  const paths = [...read('ARCHITECTURE.md').matchAll(/`((?:http|chat|adapters|config)\/[a-z/.-]+)`/g)].map(
    ([, path]) => path,
  );
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(new URL(`src/${path}`, root)))).toEqual([]);
});

test('every decision has a number of its own', () => {
  const numbers = readdirSync(new URL('docs/decisions', root)).map((name) => name.slice(0, 4));
  expect(new Set(numbers).size).toBe(numbers.length);
});

test('the commands that README.md prints are scripts of this package', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const commands = [...read('README.md').matchAll(/\bnpm (?:run ([a-z:]+)|(start|test)\b)/g)].map(
    ([, run, own]) => run ?? own,
  );
  expect(commands).toContain('start');
  expect(commands.filter((name = '') => !(name in scripts))).toEqual([]);
});
