// The emulator as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { user, VERTEX } from './ask.ts';

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

test.each(['SIGTERM', 'SIGINT'] as const)(
  'says where it listens, and on %s ends by itself with 0, open answers or not',
  async (signal) => {
    const emulator = spawn(process.execPath, ['src/emulator/main.ts', '--port', '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = emulator;
    const [line] = await once(createInterface(emulator.stdout), 'line');
    const [, address] = /^Vertex AI emulator listening on (127\.0\.0\.1:\d+)$/.exec(String(line)) ?? [];
    const body = JSON.stringify({ contents: [user('[[stall]]')] });
    const answer = await fetch(`http://${address}${VERTEX}/m:streamGenerateContent?alt=sse`, { method: 'POST', body });
    const text = answer.text().catch(() => 'broken');
    emulator.kill(signal);
    const [code] = await once(emulator, 'exit');
    expect([code, await text]).toEqual([0, 'broken']);
  },
);
