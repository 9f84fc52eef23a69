// `npm run chaos -- --minutes 10 --topology cluster [--seed S] [--log FILE]`: ends with 1 when anything was seen that must
// never be. CONTRIBUTING.md has the other options.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readCapabilities } from './capabilities.ts';
import { TOPOLOGIES } from './redis-topology.ts';
import { operationLog, report, resultOf } from './report.ts';
import { run } from './run.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    topology: { type: 'string', default: 'single' },
    seed: { type: 'string', default: randomBytes(6).toString('hex') },
    replicas: { type: 'string', default: '3' },
    sessions: { type: 'string', default: '16' },
    clients: { type: 'string', default: '16' },
    messages: { type: 'string', default: '150' },
    round: { type: 'string', default: '60' },
    faults: { type: 'string' },
    clocks: { type: 'string', default: '0,3600,-3600' },
    gaps: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
    log: { type: 'string' },
    result: { type: 'string' },
  },
});

const topology = TOPOLOGIES.find((name) => name === values.topology);
if (!topology) throw new Error(`--topology is one of ${TOPOLOGIES.join(', ')}`);

const say = (line: string) => void process.stdout.write(`${line}\n`);
const capabilities = readCapabilities();
const has = Object.entries(capabilities).map(([name, isThere]) => `${isThere ? '' : 'no '}${name}`);

say(`seed ${values.seed}`);
say(`topology ${topology}, ${values.minutes} minutes, the service has: ${has.join(', ')}`);
const summary = await run({
  seed: values.seed,
  topology,
  minutes: positive('--minutes', values.minutes),
  roundS: positive('--round', values.round),
  ...(values.faults === undefined ? {} : { faults: values.faults.split(',') }),
  gaps: positive('--gaps', values.gaps),
  clocksMs: values.clocks.split(',').map((seconds) => Number(seconds) * 1000),
  variables: Object.fromEntries(values.set.map((pair) => pair.split('=', 2))),
  replicas: positive('--replicas', values.replicas),
  sessions: positive('--sessions', values.sessions),
  clients: positive('--clients', values.clients),
  messagesMax: positive('--messages', values.messages),
  capabilities,
  say,
});
say(report(summary));
if (values.result !== undefined) writeFileSync(values.result, resultOf(summary));
if (values.log !== undefined) writeFileSync(values.log, operationLog(summary));
say(`seed ${values.seed}`);
// Not left to the event loop: one run was busy for ever after its last line. Nothing is lost, since standard output is
// written synchronously wherever this runs (files, pipes and terminals of anything but Windows), and a callback of a last
// write would wait for whatever kept it busy.
process.exit(summary.violations.length === 0 ? 0 : 1);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${name} has to be a number above 0, not ${text}`);
  return value;
}
