// The documents say what is true: names, commands and files in them exist.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readEnvironment, VARIABLES } from '../src/config/environment.ts';

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

test('deploy/nginx.conf goes with what the service does by default', () => {
  const nginx = read('deploy/nginx.conf');
  const { env } = readEnvironment({});
  const numbersOf = (setting: string) =>
    [...nginx.matchAll(new RegExp(`^ *${setting} (\\d+)[sm];`, 'gm'))].map(([, number]) => Number(number));
  expect(numbersOf('client_max_body_size').map((mib) => mib * 1024 ** 2)).toEqual([env.BODY_LIMIT_BYTES]);
  expect(numbersOf('send_timeout')).toEqual([env.CLIENT_STALL_TIMEOUT_MS / 1000]);
  const [answers = 0, streams = 0] = numbersOf('proxy_read_timeout');
  expect(answers * 1000).toBeGreaterThan(env.TURN_TIMEOUT_MS + env.FINISH_BUDGET_MS);
  expect(streams * 1000).toBeGreaterThanOrEqual(3 * env.HEARTBEAT_MS);
});

test('the files that the documents link to exist', () => {
  const documents = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'SECURITY.md',
    'docs/turns.md',
    'docs/operations.md',
    'docs/configuration.md',
    'docs/limits.md',
    'docs/encryption.md',
    'docs/identity.md',
    'docs/models-and-files.md',
  ];
  const dead = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(new URL(path, new URL(document, root))))
      .map((path) => `${document}: ${path}`),
  );
  expect(dead).toEqual([]);
});

test('the tests that SECURITY.md names exist', () => {
  const paths = [...read('SECURITY.md').matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path ?? '');
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
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

describe('docs/turns.md', () => {
  const turns = read('docs/turns.md');
  const files = new Map(
    [...turns.matchAll(/^\[(\w+)\]: \.\.\/(\S+)$/gm)].map(([, label, path]) => [label, path ?? '']),
  );

  test('has for every invariant tests that exist, by exactly their names', () => {
    const named = [...turns.matchAll(/\[([^\]]+)\]\[(\w+)\]/g)];
    expect(named.length).toBeGreaterThan(25);
    expect(named.filter(([, name = '', label]) => !titlesIn(files.get(label)).has(name)).map(([name]) => name)).toEqual(
      [],
    );
  });

  test('has no file that nothing is shown by', () => {
    const labels = new Set([...turns.matchAll(/\]\[(\w+)\]/g)].map(([, label]) => label));
    expect([...files.keys()].filter((label) => !labels.has(label))).toEqual([]);
  });
});

describe('docs/seed-parity.md', () => {
  const parity = read('docs/seed-parity.md');
  const lines = parity.split('\n');
  const files = new Map(
    [...parity.matchAll(/^\[(\w+)\]: \.\.\/(\S+)$/gm)].map(([, label, path]) => [label, path ?? '']),
  );
  const rows = lines.flatMap((line) => /^\| (\d+) \| /.exec(line)?.[1] ?? []);
  /** What is written behind each number below a table, with the lines that go on. */
  const shown = [...parity.matchAll(/^(\d+)\. (\[.*(?:\n {2,}.*)*)/gm)].map(([, number = '', text = '']) => ({
    number,
    tests: [...text.matchAll(/\[([^\]]+)\]\[(\w+)\]/g)].map(([, name = '', label = '']) => ({ name, label })),
    rest: text.replaceAll(/\[[^\]]+\]\[\w+\]/g, '').replaceAll(/[\s,]/g, ''),
  }));

  test('names every item of the seed', () => {
    const words = new Set(parity.match(/\w+/g));
    expect(ITEMS_OF_THE_SEED.filter((item) => !words.has(item))).toEqual([]);
  });

  test('has a test for every row, and a row for every test', () => {
    expect(rows.length).toBeGreaterThan(60);
    expect(rows).toEqual(rows.map((_, index) => String(index + 1)));
    expect(shown.map(({ number }) => number)).toEqual(rows);
    expect(shown.filter(({ tests, rest }) => tests.length === 0 || rest !== '')).toEqual([]);
  });

  test('names tests that exist, by exactly their names', () => {
    const wrong = shown.flatMap(({ number, tests }) =>
      tests
        .filter(({ name, label }) => {
          const titles = titlesIn(files.get(label));
          return !name.split(' › ').every((title) => titles.has(title));
        })
        .map(({ name, label }) => `${number}: ${name} (${files.get(label)})`),
    );
    expect(wrong).toEqual([]);
  });
});

const ITEMS_OF_THE_SEED = [
  ...[
    'ChatModel',
    'from_pretrained',
    'start_chat',
    'InputOutputTextPair',
    'ChatMessage',
    'model',
    'context',
    'examples',
  ],
  ...['max_output_tokens', 'temperature', 'top_k', 'top_p', 'message_history', 'stop_sequences', 'message'],
  ...['send_message', 'send_message_async', 'send_message_streaming', 'send_message_streaming_async'],
  ...['candidate_count', 'grounding_source', 'WebSearch', 'VertexAISearch', 'InlineContext', 'disable_attribution'],
  ...['data_store_id', 'location', 'project', 'inline_context'],
  ...['MultiCandidateTextGenerationResponse', 'TextGenerationResponse', 'text', 'is_blocked', 'errors'],
  ...[
    'safety_attributes',
    'grounding_metadata',
    'citations',
    'search_queries',
    'candidates',
    'raw_prediction_response',
  ],
  ...['count_tokens', 'total_tokens', 'total_billable_characters'],
];

/** Of `describe`, `test` and `it`, also behind a table; tests that are skipped show nothing. */
function titlesIn(path: string | undefined): ReadonlySet<string> {
  if (path === undefined) return new Set();
  const titles = read(path).matchAll(/(?:\b(?:describe|test|it)|\))\(\s*(['"`])((?:\\.|(?!\1)[^\\])+)\1,/g);
  return new Set([...titles].map(([, , title = '']) => title.replaceAll(/\\(.)/g, '$1')));
}
