// How much it costs to have sessions between a client and a model: the service, beside the least that a proxy can cost, and
// beside others of its kind. Everything in one run, in turns, so that whatever else the machine does slows all of them.
//
// npm run bench -- [--smoke] [--rounds 3] [--only burst,paced] [--targets service,dispatch] [--peers] [--out FILE]
//
// A whole run writes bench/results.md. `--smoke` has every scenario at toy size, judges nothing, and fails when one does not
// work. `--peers` installs others of its kind on demand (bench/peers) and measures them, too.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startScript } from './processes.ts';
import { reportOf } from './report.ts';
import { type Measured, run } from './run.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { tableOf } from './table.ts';
import { direct, dispatch, hasNginx, nginx, pipe } from './targets/references.ts';
import { service } from './targets/service.ts';
import type { StartTarget } from './targets/target.ts';

const TARGETS: Readonly<Record<string, StartTarget>> = {
  direct,
  ...(hasNginx ? { nginx } : {}),
  dispatch,
  pipe,
  service,
};
/** Of the full size; enough to see that it works. */
const SMOKE_SHARE = 0.005;

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    targets: { type: 'string' },
    out: { type: 'string' },
    peers: { type: 'boolean', default: false },
  },
});

const isSmoke = values.smoke;
const rounds = isSmoke ? 1 : Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds} is no number of rounds`);
const isWhole = !isSmoke && values.only === undefined && values.targets === undefined;
const file = values.out ?? (isWhole ? fileURLToPath(new URL('./results.md', import.meta.url)) : undefined);

const measured: Measured[] = [];
const model = await startScript('./upstream.ts', []);
try {
  const peers = values.peers
    ? await (await import('./peers/peers.ts')).peers(model.port, values.targets?.split(','))
    : {};
  const options = {
    scenarios: chosen(Object.fromEntries(SCENARIOS.map((scenario) => [scenario.name, scenario])), values.only),
    starters: chosen({ ...TARGETS, ...peers }, values.targets),
    modelPort: model.port,
    rounds,
    share: isSmoke ? SMOKE_SHARE : 1,
    warmsUp: !isSmoke,
  };
  let began = performance.now();
  for await (const own of run({ ...options, scenarios: Object.values(options.scenarios) })) {
    measured.push(...own);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    began = performance.now();
    process.stderr.write(`${own[0]?.scenario.name ?? 'nothing'}, ${seconds} s\n${tableOf(own, false)}\n`);
  }
} finally {
  await model.end();
}

const report = reportOf(measured, { rounds, isJudged: !isSmoke });
process.stdout.write(report);
if (file !== undefined) writeFileSync(file, report);
for (const { scenario, subject, failure } of measured) {
  if (failure === undefined) continue;
  process.exitCode = 1;
  process.stderr.write(`${scenario.name} of ${subject}: ${failure instanceof Error ? failure.stack : failure}\n`);
}

/** All, or those that are named; what nobody knows is a mistake. */
function chosen<T>(all: Readonly<Record<string, T>>, names: string | undefined): Readonly<Record<string, T>> {
  if (names === undefined) return all;
  const unknown = names.split(',').filter((name) => !(name in all));
  if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: not one of ${Object.keys(all).join(', ')}`);
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.split(',').includes(name)));
}
