// A peer as a process of its own: its program, run by the same Node as the service, in production mode.

import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGuarded } from '../../test/support/guarded-process.ts';
import { until } from '../../test/support/until.ts';

export interface PeerProcess extends AsyncDisposable {
  readonly pid: number;
}

const START_MS = 60_000;

/** `args` are what Node is given; paths are of this folder. Resolves when it listens at the port. */
export async function startPeer(
  port: number,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<PeerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'csp-bench-peer-'));
  // Some keep files where they are run, and leave others among the temporary ones.
  const all = { NODE_ENV: 'production', TMPDIR: folder, ...variables };
  const pairs = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const child = await startGuarded('env', [`--chdir=${folder}`, ...pairs, process.execPath, ...args], folder);
  const dispose = async () => {
    await child.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(
      'it listens',
      () => {
        if (child.hasExited) throw new Error(`it has ended:\n${child.output}`);
        return listens(port);
      },
      { deadlineMs: START_MS, everyMs: 50 },
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return { pid: child.pid, [Symbol.asyncDispose]: dispose };
}

/** Where a file of this folder is. */
export function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: '127.0.0.1' });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
