// Thousands of requests made from openapi.yaml, valid, nearly valid and wild, by every kind of caller: never a 5xx, only
// documented answers, and bodies that are what the document says. `npm run fuzz` is the long form.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { Fuzzer, writeKeyFile } from '../../fuzz/fuzzer.ts';
import { requests } from '../../fuzz/requests.ts';
import { startScene } from '../support/service-scene.ts';

const RUNS = 2400;
const REFRESH_EVERY = 50;

const folder = mkdtempSync(join(tmpdir(), 'csp-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

test(`${RUNS} requests made from the document get documented answers, and never a 5xx`, {
  timeout: 120_000,
}, async () => {
  const API_KEYS_FILE = join(folder, 'keys.json');
  writeKeyFile(API_KEYS_FILE);
  await using scene = await startScene({ AUTH: 'api-key', API_KEYS_FILE, ANSWER_SIZE_MAX: '100000' });
  const fuzzer = new Fuzzer(scene.service.url);
  let sent = 0;
  const property = fc.asyncProperty(requests, async (request) => {
    if (sent % REFRESH_EVERY === 0) await fuzzer.refresh();
    sent += 1;
    expect(await fuzzer.fault(request)).toBeUndefined();
  });
  await fc.assert(property, { numRuns: RUNS });
  const seen = (status: number) => fuzzer.statuses.get(status) ?? 0;
  for (const [status] of fuzzer.statuses) expect(status).toBeLessThan(500);
  // The requests have to reach beyond validation, or they would prove nothing.
  expect(seen(200)).toBeGreaterThan(RUNS / 10);
  expect(seen(201)).toBeGreaterThan(10);
  expect(seen(400)).toBeGreaterThan(100);
  expect(seen(401)).toBeGreaterThan(50);
  expect(fuzzer.turnsMet).toBeGreaterThan(50);
});
