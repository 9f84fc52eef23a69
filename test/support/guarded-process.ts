// A child process that never outlives the tests. A watcher (a shell that waits for the end of its input) ends it and
// removes its folder when this process goes away, in whatever way.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface GuardedProcess {
  readonly pid: number;
  readonly hasExited: boolean;
  /** `null` while it runs, and when a signal has ended it. */
  readonly exitCode: number | null;
  /** What it has written so far, standard output and error. */
  readonly output: string;
  signal(signal: NodeJS.Signals): void;
  /** Ends it: politely first, unless `SIGKILL` is asked for. Resolves when it has gone. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** How long a polite end may take. */
const TERM_MS = 3000;
const OUTPUT_MAX = 20_000;

/** `folder` is removed when the tests die before they could do it themselves. `onOutput` sees all that `output` forgets. */
export async function startGuarded(
  command: string,
  args: readonly string[],
  folder: string,
  onOutput: (text: string) => void = () => undefined,
): Promise<GuardedProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_MAX);
      onOutput(text);
    });
  }
  // Rejects with ENOENT when the program is missing: a run without it has to fail, not to skip.
  await once(child, 'spawn');
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} has no process id`);
  const watcher = watch(pid, folder);
  void exit.then(() => watcher.kill('SIGKILL'));
  return {
    pid,
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    get exitCode() {
      return child.exitCode;
    },
    get output() {
      return output;
    },
    signal: (signal) => void child.kill(signal),
    async end(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      // A stopped process takes nothing but SIGKILL.
      child.kill('SIGCONT');
      const timer = setTimeout(() => child.kill('SIGKILL'), TERM_MS);
      await exit;
      clearTimeout(timer);
    },
  };
}

/** In a process group of its own, so that Ctrl-C in a terminal does not end the watcher first. */
function watch(pid: number, folder: string): ChildProcess {
  // A process that is just dying may still write into the folder: then once more.
  const remove = 'rm -rf -- "$2" 2>/dev/null || { sleep 1; rm -rf -- "$2"; }';
  // Asked politely first: an nginx that is killed leaves its workers behind.
  const script = `cat >/dev/null; kill "$1" 2>/dev/null && sleep 1; kill -9 "$1" 2>/dev/null; ${remove}`;
  const watcher = spawn('sh', ['-c', script, 'sh', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  return watcher;
}
