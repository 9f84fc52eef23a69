// How much it costs to have sessions between a client and a model: the service, beside the least that a proxy can cost, and
// beside others of its kind. Everything in one run, in turns, so that whatever else the machine does slows all of them.
//
// npm run bench -- [--smoke] [--rounds 3] [--only burst,paced] [--targets service,dispatch] [--peers]

import { parseArgs } from 'node:util';
import { startScript } from './processes.ts';
import { burst, oneEvent, paced, saturated, unary } from './scenarios/relay.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { type Measured, summarize } from './summary.ts';
import { direct, dispatch, hasNginx, nginx, pipe } from './targets/references.ts';
import { service } from './targets/service.ts';
import type { StartTarget, Target } from './targets/target.ts';

const SCENARIOS: readonly Scenario[] = [burst, paced, saturated, oneEvent, unary];
const TARGETS: Readonly<Record<string, StartTarget>> = {
  direct,
  ...(hasNginx ? { nginx } : {}),
  dispatch,
  pipe,
  service,
};
/** Of the full size; enough to see that it works. */
const SMOKE_SHARE = 0.02;

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    targets: { type: 'string' },
    peers: { type: 'boolean', default: false },
  },
});

const share = values.smoke ? SMOKE_SHARE : 1;
const rounds = values.smoke ? 1 : Number(values.rounds);
const only = values.only?.split(',');
const scenarios = SCENARIOS.filter(({ name }) => only?.includes(name) ?? true);
const wanted = values.targets?.split(',');

const model = await startScript('./upstream.ts', []);
const targets: Target[] = [];
try {
  const peers = values.peers ? await (await import('./peers/peers.ts')).peers(model.port, wanted) : {};
  for (const [name, start] of Object.entries({ ...TARGETS, ...peers })) {
    if (wanted?.includes(name) ?? true) targets.push(await start(model.port));
  }
  const measured: Measured[] = [];
  for (const scenario of scenarios) {
    for (let round = 0; round <= rounds; round += 1) {
      for (const target of targets) {
        if (target.name === 'direct' && scenario.name !== 'lag') continue;
        // The first one warms up.
        const figures = await scenario.measure(target, round === 0 ? share / 4 : share);
        if (round > 0) measured.push({ scenario, target: target.name, figures });
      }
    }
    process.stdout.write(summarize(measured.filter((one) => one.scenario === scenario)));
  }
} finally {
  for (const target of targets) await target[Symbol.asyncDispose]();
  await model.end();
}
