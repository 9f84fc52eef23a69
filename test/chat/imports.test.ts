// The walls of the design, over the imports and the text of src/.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const LINES_MAX = 250;

interface SourceFile {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
  /** Packages and builtins as they are named, files of ours as paths from the root. Types are imports, too. */
  readonly imports: readonly string[];
}

const IMPORT = /\b(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

const FILES: readonly SourceFile[] = globSync('src/**/*.ts', { cwd: ROOT }).map(readSource);

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;{(,])\/\/.*$/gm, '$1');
  const imports = [...code.matchAll(IMPORT)].map(([, from, bare]) => {
    const named = from ?? bare ?? '';
    return named.startsWith('.') ? normalize(join(dirname(path), named)) : named;
  });
  return { path, text, code, imports };
}

/** `file → what it imports` for every import that breaks a rule. */
function offences(breaks: (file: SourceFile, imported: string) => boolean): readonly string[] {
  return FILES.flatMap((file) => {
    return file.imports.filter((imported) => breaks(file, imported)).map((imported) => `${file.path} → ${imported}`);
  });
}

const isIn = (folder: string) => (path: string) => path.startsWith(`src/${folder}/`);
const isChat = isIn('chat');
const isHttp = isIn('http');
const isAdapter = isIn('adapters');
const isClient = isIn('client');
const isIdentity = isIn('identity');
const PARSER = 'eventsource-parser';
const adapterOf = (path: string) => path.split('/')[2];

/** Imports out of `chat/` that are not of types alone: plain JavaScript would have to bring the domain along. */
function valuesOfTheDomain(code: string): readonly string[] {
  return [...code.matchAll(/^(?:import|export)\b[^'";]*['"][^'"]*\/chat\/[^'"]+['"]/gm)]
    .map(([statement]) => statement)
    .filter((statement) => !/^(?:import|export) type\b/.test(statement));
}

/** One cycle of imports, if there is any. */
function findCycle(files: readonly SourceFile[]): readonly string[] | undefined {
  const graph = new Map(files.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe('the imports', () => {
  it('are all seen: every file of ours that is named exists', () => {
    const paths = new Set(FILES.map(({ path }) => path));
    expect(FILES.length).toBeGreaterThan(40);
    expect(offences((_file, imported) => imported.startsWith('src/') && !paths.has(imported))).toEqual([]);
    const store = FILES.find(({ path }) => path === 'src/adapters/redis/redis-session-store.ts');
    expect(store?.imports).toContain('src/chat/session-store.ts');
    expect(store?.imports).toContain('src/adapters/redis/scripts.ts');
  });

  it('of the domain lead nowhere but into the domain: no package, no builtin', () => {
    expect(offences(({ path }, imported) => isChat(path) && !isChat(imported))).toEqual([]);
  });

  it('of the edge never lead to an adapter', () => {
    expect(offences(({ path }, imported) => isHttp(path) && isAdapter(imported))).toEqual([]);
  });

  it('of an adapter never lead to another adapter or to the edge; both wires share the way to the upstream', () => {
    expect(
      offences(({ path }, imported) => {
        if (!isAdapter(path)) return false;
        const isForeign = isAdapter(imported) && adapterOf(imported) !== adapterOf(path);
        return isHttp(imported) || (isForeign && adapterOf(imported) !== 'upstream');
      }),
    ).toEqual([]);
  });

  it('lead to a concrete adapter from compose.ts and its folder only', () => {
    const composes = (path: string) => path === 'src/compose.ts' || isIn('compose')(path);
    expect(offences(({ path }, imported) => isAdapter(imported) && !isAdapter(path) && !composes(path))).toEqual([]);
  });

  it('of who calls lead to itself, to error codes and to the files of operators', () => {
    const isAllowed = (imported: string) =>
      isIdentity(imported) ||
      ['src/chat/errors.ts', 'src/config/changed-file.ts', 'src/config/watched-file.ts'].includes(imported);
    expect(
      offences(({ path }, imported) => isIdentity(path) && imported.startsWith('src/') && !isAllowed(imported)),
    ).toEqual([]);
  });

  it('of the client lead to itself, to the parser of streams, and to types of the domain; nobody imports the client', () => {
    const isAllowed = (imported: string) => isClient(imported) || isChat(imported) || imported === PARSER;
    expect(offences(({ path }, imported) => isClient(path) && !isAllowed(imported))).toEqual([]);
    expect(offences(({ path }, imported) => !isClient(path) && (isClient(imported) || imported === PARSER))).toEqual(
      [],
    );
    const client = FILES.filter(({ path }) => isClient(path));
    expect(client.some(({ imports }) => imports.includes(PARSER))).toBe(true);
    expect(client.flatMap(({ path, code }) => valuesOfTheDomain(code).map((line) => `${path}: ${line}`))).toEqual([]);
  });

  it('would show a value of the domain in the client', () => {
    const allowed =
      "import type { A } from '../chat/a.ts';\nexport type { B } from '../chat/b.ts';\nimport { c } from './c.ts';";
    expect(valuesOfTheDomain(allowed)).toEqual([]);
    // With only types in it, the second one would still load the file.
    const values = [
      "import { a } from '../chat/a.ts'",
      "import { type B } from '../chat/b.ts'",
      "import '../chat/c.ts'",
    ];
    expect(valuesOfTheDomain([...values, allowed].join(';\n'))).toEqual(values);
  });

  it('have no cycles, types included', () => {
    expect(findCycle(FILES)).toBeUndefined();
  });

  it('would show a cycle', () => {
    const file = (path: string, imported: string): SourceFile => ({ path, text: '', code: '', imports: [imported] });
    const cycle = findCycle([file('src/a.ts', 'src/b.ts'), file('src/b.ts', 'src/c.ts'), file('src/c.ts', 'src/b.ts')]);
    expect(cycle).toEqual(['src/b.ts', 'src/c.ts', 'src/b.ts']);
  });
});

describe('the source files', () => {
  it('read the environment in config.ts only', () => {
    const readers = FILES.filter(({ code }) => /\bprocess\s*\.\s*env\b|\benv\b[^;]*from 'node:process'/.test(code));
    expect(readers.map(({ path }) => path).filter((path) => path !== 'src/config.ts')).toEqual([]);
  });

  it('parse what others have sent or stored with parseAsWritten only', () => {
    const parses = (code: string) => /\bJSON\s*\.\s*parse\b|\bsjson\s*\.\s*(?:parse|safeParse)\b|\.json\(\)/.test(code);
    const isForeign = (path: string) => isChat(path) || isHttp(path) || isAdapter(path);
    const parsers = FILES.filter(({ path, code }) => isForeign(path) && parses(code)).map(({ path }) => path);
    expect(parsers).toEqual(['src/chat/json-as-written.ts']);
  });

  it('spell keys of Redis in keys.ts only', () => {
    const spelled = /(?<!node)[:}](meta|history|events|turns|ledger|newest|sessions|lifetimes|requests)[`'"]/;
    expect(spelled.test(FILES.find(({ path }) => path.endsWith('redis/keys.ts'))?.code ?? '')).toBe(true);
    const spellers = FILES.filter(({ path, code }) => !path.endsWith('redis/keys.ts') && spelled.test(code));
    expect(spellers.map(({ path }) => path)).toEqual([]);
  });

  it('have no index.ts, no barrel, and no file that is named after nothing', () => {
    const named = FILES.filter(({ path }) => /(^|[/-])(index|utils?|helpers?|common|misc|shared|lib)\.ts$/.test(path));
    expect(named.map(({ path }) => path)).toEqual([]);
    expect(FILES.filter(({ code }) => /\bexport\s*\*/.test(code)).map(({ path }) => path)).toEqual([]);
  });

  it(`have at most ${LINES_MAX} lines`, () => {
    const long = FILES.filter(({ text }) => text.trimEnd().split('\n').length > LINES_MAX);
    expect(long.map(({ path }) => path)).toEqual([]);
  });
});

describe('the Lua scripts', () => {
  const scripts = globSync('src/adapters/redis/lua/*.lua', { cwd: ROOT }).map((path) => {
    return { path, text: readFileSync(join(ROOT, path), 'utf8') };
  });

  /** Put before other scripts. */
  const isPart = (path: string) => /\/(prelude|seal|line|changes|usage)\.lua$/.test(path);

  it('build no key: every command gets one of KEYS, or what the prelude was given', () => {
    const calls = scripts.flatMap(({ path, text }) => {
      return [...text.matchAll(/redis\.p?call\('(\w+)'(?:,\s*([^,)\s]+))?/g)].map(([, command, key]) => {
        return { path, command, key: key ?? '' };
      });
    });
    expect(calls.length).toBeGreaterThan(40);
    const built = calls.filter(({ path, command, key }) => {
      const isDeclared =
        /^KEYS\[\d\]$/.test(key) ||
        (isPart(path) && /^(key|meta|history|events|turns|ledger|newest|idem|queue)$/.test(key));
      return command !== 'TIME' && !isDeclared;
    });
    expect(built).toEqual([]);
  });

  it('have a header that names them, their KEYS and what they return, and fewer than 70 lines', () => {
    expect(scripts.length).toBeGreaterThanOrEqual(11);
    for (const { path, text } of scripts) {
      const name = /([a-z_-]+)\.lua$/.exec(path)?.[1];
      expect(text.startsWith(`-- ${name}: `), path).toBe(true);
      if (!isPart(path)) {
        expect(text, path).toMatch(/^-- KEYS\[1\]/m);
        expect(text, path).toMatch(/^-- Returns /m);
      }
      expect(text.trimEnd().split('\n').length, path).toBeLessThan(70);
    }
  });
});
