// What a process uses (Linux).

import { readdirSync, readFileSync } from 'node:fs';

export interface Resources {
  readonly fds: number;
  readonly rssMiB: number;
}

/** `undefined` where there is no such file system, and when the process has just gone. */
export function resourcesOf(pid: number): Resources | undefined {
  try {
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return { fds: readdirSync(`/proc/${pid}/fd`).length, rssMiB: Math.round(Number(rss?.[1] ?? 0) / 1024) };
  } catch {
    return undefined;
  }
}
