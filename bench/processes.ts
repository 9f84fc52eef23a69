// Processes of a benchmark, and what they use (Linux).

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GuardedProcess, startGuarded } from '../test/support/guarded-process.ts';
import { until } from '../test/support/until.ts';

export interface Started {
  readonly pid: number;
  readonly port: number;
  end(): Promise<void>;
}

/** A script of this folder that prints its port as its first line. */
export async function startScript(
  file: string,
  args: readonly (string | number)[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const folder = await mkdtemp(join(tmpdir(), 'csp-bench-'));
  const child = await startGuarded('env', [...pairs, process.execPath, path, ...args.map(String)], folder);
  const port = await until(`${file} prints its port`, () => portOf(child), { deadlineMs: 60_000 });
  return {
    pid: child.pid,
    port,
    async end() {
      await child.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function portOf(child: GuardedProcess): number | undefined {
  if (child.hasExited) throw new Error(`it has ended:\n${child.output}`);
  const line = /^(\d{2,5})$/m.exec(child.output)?.[1];
  return line === undefined ? undefined : Number(line);
}

const TICK_US = 10_000;

/** Processor time that these processes have used so far, user and system, of all threads, ended ones too, in µs. */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }, 0);
}

export function rssKiBOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    return sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  }, 0);
}

export function childrenOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}
