// What a run leaves behind: its tables, and all that has to be known to read them.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Measured } from './run.ts';
import { tableOf } from './table.ts';

const PACKAGES = ['undici', 'fastify', 'ioredis'];

export interface ReportOptions {
  readonly rounds: number;
  /** A run at toy size says nothing about speed. */
  readonly isJudged: boolean;
}

export function reportOf(measured: readonly Measured[], options: ReportOptions): string {
  return [headOf(options), ...tablesOf(measured, options.isJudged)].join('\n');
}

/** One of all targets, and one for each way in which the service can grow. */
function tablesOf(measured: readonly Measured[], isJudged: boolean): readonly string[] {
  const besides = measured.filter(({ scenario }) => !scenario.isGrowth);
  const growths = Map.groupBy(
    measured.filter(({ scenario }) => scenario.isGrowth),
    ({ scenario }) => scenario,
  );
  return [
    ...(besides.length === 0 ? [] : [tableOf(besides, isJudged)]),
    ...[...growths.values()].map((own) => tableOf(own, false)),
  ];
}

function headOf({ rounds, isJudged }: ReportOptions): string {
  const many = rounds === 1 ? 'One round' : `Medians of ${rounds} rounds, with the least and the most`;
  const size = isJudged ? many : 'At toy size: this judges nothing';
  return `# What a session costs

${size}; × is the ratio to the reference that the column of goals names, in the same run. Processor time is
that of all threads of the target's processes, user and system, from \`/proc\`. Made by \`npm run bench\`; what is measured
is in \`bench/scenarios\`. **Absolute numbers are this machine's, and mean nothing on another one**; goals without a
reference were set on yet another one.

${new Date().toISOString().slice(0, 10)}; ${machine()}; ${versions().join(', ')}.
`;
}

function machine(): string {
  const all = cpus();
  return `${all.length} cores, ${all[0]?.model.trim() ?? 'of an unknown kind'}`;
}

function versions(): readonly string[] {
  const own = versionIn('../package.json');
  const packages = PACKAGES.map((name) => `${name} ${versionIn(`../node_modules/${name}/package.json`)}`);
  const redis = /v=(\S+)/.exec(spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout)?.[1];
  // nginx says it on standard error, and is not everywhere.
  const nginx = /nginx\/(\S+)/.exec(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr ?? '')?.[1];
  return [
    `chat-session-proxy ${own}${commit()}`,
    `node ${process.versions.node}`,
    `redis-server ${redis}`,
    `nginx ${nginx ?? 'absent'}`,
    ...packages,
  ];
}

/** What was measured; changed since then, if git says so. */
function commit(): string {
  const here = { cwd: new URL('..', import.meta.url), encoding: 'utf8' } as const;
  const { stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], here);
  return stdout ? ` (${stdout.trim()})` : '';
}

function versionIn(file: string): string {
  const { version } = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as { version: string };
  return version;
}
