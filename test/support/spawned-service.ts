// The service as a process of its own, started as `npm start` does.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { type GuardedProcess, startGuarded } from './guarded-process.ts';
import { keysOfRun } from './history-keys.ts';
import { withTestIdentity } from './test-identity.ts';
import { until } from './until.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface SpawnedService extends AsyncDisposable {
  readonly url: string;
  readonly process: GuardedProcess;
  /** From its start until it was ready. */
  readonly readyMs: number;
}

type Variables = Readonly<Record<string, string>>;

/** The command line of a service with exactly this environment. */
export function commandOf(variables: Variables): readonly [string, readonly string[]] {
  const pairs = Object.entries({ PATH: process.env.PATH ?? '', HOME: tmpdir(), ...variables });
  const node = [process.execPath, '--import', join(root, 'scripts/require-node.js'), join(root, 'src/server.ts')];
  return ['env', ['-i', ...pairs.map(([name, value]) => `${name}=${value}`), ...node]];
}

/** Variables of a service whose clock is wrong by so much. */
export function withClock(wrongMs: number): Variables {
  const { href } = new URL('./other-clock.js', import.meta.url);
  return { NODE_OPTIONS: `--import=${href}`, CLOCK_WRONG_MS: String(wrongMs) };
}

export interface SpawnOptions {
  readonly awaitReady?: boolean;
  readonly onOutput?: (text: string) => void;
}

export async function spawnService(
  variables: Variables = {},
  { awaitReady = true, onOutput }: SpawnOptions = {},
): Promise<SpawnedService> {
  const port = variables.PORT ?? String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const [command, args] = commandOf(withTestIdentity({ DRAIN_MS: '2000', ...keysOfRun(), ...variables, PORT: port }));
  const folder = await mkdtemp(join(tmpdir(), 'csp-test-service-'));
  const child = await startGuarded(command, args, folder, onOutput);
  await until(
    'the service answers',
    async () => {
      if (child.hasExited) throw new Error(`the service has ended:\n${child.output}`);
      return (await statusOf(`${url}${awaitReady ? '/readyz' : '/livez'}`)) === 200;
    },
    { deadlineMs: 15_000 },
  );
  const readyMs = performance.now() - startedAt;
  const dispose = async () => {
    await child.end();
    await rm(folder, { recursive: true, force: true });
  };
  return { url, process: child, readyMs, [Symbol.asyncDispose]: dispose };
}

export async function statusOf(url: string): Promise<number> {
  try {
    return (await fetch(url)).status;
  } catch {
    // Nobody listens yet, or any more.
    return 0;
  }
}
