// How much the service adds to a stream: lag per event and processor time, beside a bare relay measured in the same run.
// npm run bench -- [streams] [chunks] [interval ms]
//
// Everything shares one machine, so only the ratios mean something.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { RedisServer } from '../test/support/redis-server.ts';
import { resourcesOf } from '../test/support/resources.ts';

const STREAMS = Number(process.argv[2] ?? 200);
const CHUNKS = Number(process.argv[3] ?? 60);
const INTERVAL_MS = Number(process.argv[4] ?? 100);

interface Result {
  readonly lags: readonly number[];
  readonly cpuMs: number;
  readonly rssMb: number;
}

const children: ChildProcess[] = [];

function start(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<[ChildProcess, number]> {
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve) => {
    child.stdout.once('data', (line) => resolve([child, Number.parseInt(String(line), 10)]));
  });
}

async function startService(env: Record<string, string>): Promise<[ChildProcess, number]> {
  const port = await freePort();
  const settings = { PORT: String(port), DEFAULT_MODEL: 'bench', LOG_LEVEL: 'warn', ...env };
  const [child] = await start('src/server.ts', [], settings);
  child.stdout?.resume();
  for (;;) {
    const { status } = await send(port, 'GET', '/readyz').catch(() => ({ status: 0 }));
    if (status === 200) return [child, port];
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

const agent = new Agent({ keepAlive: true, maxSockets: STREAMS });

function send(port: number, method: string, path: string, body?: object, onBytes?: (bytes: Buffer) => void) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = body ? { 'content-type': 'application/json' } : {};
    const call = request({ port, host: '127.0.0.1', method, path, headers, agent }, (answer) => {
      let text = '';
      answer.on('data', (bytes: Buffer) => {
        if (onBytes) onBytes(bytes);
        else text += String(bytes);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on('error', reject);
    });
    call.on('error', reject);
    call.end(body ? JSON.stringify(body) : undefined);
  });
}

/** Processor time that a process has used, in ms (Linux, 100 ticks a second). */
function cpuOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure(child: ChildProcess, port: number, paths: readonly string[]): Promise<Result> {
  const lags: number[] = [];
  const cpuBefore = cpuOf(child);
  let rssMb = 0;
  const look = setInterval(() => {
    rssMb = Math.max(rssMb, resourcesOf(child.pid ?? 0)?.rssMiB ?? 0);
  }, 500);
  await Promise.all(
    paths.map((path) =>
      send(port, 'POST', path, { message: 'go' }, (bytes) => {
        const now = performance.timeOrigin + performance.now();
        for (const [, at] of String(bytes).matchAll(/@(\d+\.?\d*) lorem/g)) lags.push(now - Number(at));
      }),
    ),
  );
  clearInterval(look);
  return { lags: lags.sort((a, b) => a - b), cpuMs: cpuOf(child) - cpuBefore, rssMb };
}

function report(name: string, { lags, cpuMs, rssMb }: Result, reference?: Result): void {
  const at = (share: number) => (lags[Math.floor(lags.length * share)] ?? 0).toFixed(1);
  const expected = STREAMS * CHUNKS;
  const perEvent = (cpuMs * 1000) / lags.length;
  const ratio = reference ? `  x${(cpuMs / reference.cpuMs).toFixed(2)} cpu of the relay` : '';
  process.stdout.write(
    `${name.padEnd(16)} events ${lags.length}/${expected}  lag ms p50 ${at(0.5)} p95 ${at(0.95)} p99 ${at(0.99)}` +
      `  cpu ${perEvent.toFixed(1)} us/event  rss ${rssMb} MB${ratio}\n`,
  );
}

async function sessions(port: number): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 0; i < STREAMS; i += 1) {
    const { text } = await send(port, 'POST', '/v1/sessions', {});
    paths.push(`/v1/sessions/${(JSON.parse(text) as { id: string }).id}/messages/stream`);
  }
  return paths;
}

try {
  const [, upstreamPort] = await start('bench/upstream.ts', [String(CHUNKS), String(INTERVAL_MS)]);
  const [relay, relayPort] = await start('bench/relay.ts', [String(upstreamPort)]);
  process.stdout.write(`${STREAMS} streams, ${CHUNKS} chunks of 250 bytes, one every ${INTERVAL_MS} ms\n`);
  const reference = await measure(relay, relayPort, new Array<string>(STREAMS).fill('/'));
  report('bare relay', reference);
  const model = { VERTEX_AI_EMULATOR_HOST: `127.0.0.1:${upstreamPort}` };
  const [memory, memoryPort] = await startService(model);
  report('service, memory', await measure(memory, memoryPort, await sessions(memoryPort)), reference);
  const redis = await RedisServer.start();
  const [service, servicePort] = await startService({ ...model, REDIS_URL: redis.url });
  report('service, redis', await measure(service, servicePort, await sessions(servicePort)), reference);
  await redis.stop();
} finally {
  for (const child of children) child.kill('SIGTERM');
  agent.destroy();
}
