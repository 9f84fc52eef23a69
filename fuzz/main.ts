// `npm run fuzz -- [--requests 40000] [--seed S] [--at N]`: requests made from openapi.yaml against a running service with
// identities, over a real Redis. Ends with 1 when an answer is a 500, is not documented, does not fit its schema, or when
// the service has grown. `--seed` and `--at` of a failure send that request alone.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { Report } from '../soak/report.ts';
import { startEmulator } from '../src/emulator/server.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { spawnService } from '../test/support/spawned-service.ts';
import { Fuzzer, writeKeyFile } from './fuzzer.ts';
import { type FuzzRequest, requests } from './requests.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '40000' }, seed: { type: 'string' }, at: { type: 'string' } },
});
const count = Number(values.requests);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);

/** By then everything has been used, compiled, and held as much garbage as it will. */
const WARM_SHARE = 0.3;
const RSS_GROWTH = 1.2;
/** At the same time. */
const CLIENTS = 8;
const REFRESH_EVERY = 100;

const report = new Report((line) => void process.stdout.write(`${line}\n`));
const folder = mkdtempSync(join(tmpdir(), 'csp-fuzz-'));
const keyFile = join(folder, 'keys.json');
writeKeyFile(keyFile);
const historyKeys = join(folder, 'history-keys.json');
writeFileSync(historyKeys, JSON.stringify({ current: 'k1', keys: { k1: randomBytes(32).toString('base64') } }));
const emulator = await startEmulator({ chunkDelayMs: 0 });
const redis = await RedisServer.start();
const service = await spawnService({
  AUTH: 'api-key',
  API_KEYS_FILE: keyFile,
  REDIS_URL: redis.url,
  VERTEX_AI_EMULATOR_HOST: emulator.address,
  DEFAULT_MODEL: 'emulator',
  HISTORY_KEYS_FILE: historyKeys,
  // Told in every answer, and never reached.
  RATE_LIMIT_PER_MINUTE: '100000000',
  ANSWER_SIZE_MAX: '100000',
});
try {
  await fuzz();
} finally {
  await service[Symbol.asyncDispose]();
  await redis.stop();
  await emulator.close();
  rmSync(folder, { recursive: true });
}
process.exitCode = report.failures.length === 0 ? 0 : 1;

async function fuzz(): Promise<void> {
  report.say(`${count} requests, seed ${seed}`);
  const fuzzer = new Fuzzer(service.url);
  const made = fc.sample(requests, { numRuns: count, seed });
  const faults: string[] = [];
  const startedAt = performance.now();
  const memory: { readonly at: number; readonly mib: number }[] = [];
  let next = values.at === undefined ? 0 : Number(values.at);
  const end = values.at === undefined ? made.length : next + 1;
  const client = async () => {
    for (let at = next++; at < end; at = next++) {
      const request = made[at];
      if (!request) return;
      if (at % REFRESH_EVERY === 0) await fuzzer.refresh();
      if (at % REFRESH_EVERY === 0) memory.push({ at, mib: residentMiB() });
      const fault = await fuzzer.fault(request).catch((error: Error) => error.message);
      if (fault) faults.push(`--seed ${seed} --requests ${count} --at ${at}: ${nameOf(request)} ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const seconds = (performance.now() - startedAt) / 1000;
  report.figure('requests', `${made.length}, ${Math.round(made.length / seconds)} a second`);
  const statuses = [...fuzzer.statuses].sort(([a], [b]) => a - b);
  report.figure('statuses', statuses.map(([status, times]) => `${status}: ${times}`).join(', '));
  report.figure('operations that were answered well', fuzzer.operations.size);
  report.figure('turns that were met', fuzzer.turnsMet);
  report.expectNone('every answer is documented, fits, and is no 500', faults);
  if (values.at === undefined) judgeMemory(memory);
  report.say(`\n${report.table()}`);
}

/** Medians of what was seen early and late: single readings are as garbage collection has them. */
function judgeMemory(memory: readonly { readonly at: number; readonly mib: number }[]): void {
  const between = (from: number, to: number) =>
    median(memory.filter(({ at }) => at >= from * count && at < to * count).map(({ mib }) => mib));
  const tenths = Array.from({ length: 10 }, (_, tenth) => between(tenth / 10, (tenth + 1) / 10));
  report.figure('memory along the way', `${tenths.join(', ')} MiB`);
  const early = between(WARM_SHARE, WARM_SHARE + 0.2);
  const late = between(0.8, 1);
  report.atMost(`memory at the end, after ${early} MiB`, late, Math.round(early * RSS_GROWTH), 'MiB');
}

function median(values_: readonly number[]): number {
  return values_.toSorted((a, b) => a - b)[Math.floor(values_.length / 2)] ?? 0;
}

function residentMiB(): number {
  const [, kib = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${service.process.pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}

function nameOf({ operation, caller, query }: FuzzRequest): string {
  return `${operation.method} ${operation.path}${query} by ${caller}`;
}
