// `npm run soak -- --streams 1000 --aborts 10000 [--seed S]`: real load on real processes; ends with 1 when an expectation
// does not hold. 0 leaves a part out.

import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { randomFrom } from '../chaos/random.ts';
import { soakAborts } from './aborts.ts';
import { Report } from './report.ts';
import { soakStreams } from './streams.ts';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    aborts: { type: 'string', default: '10000' },
    seed: { type: 'string', default: randomBytes(6).toString('hex') },
  },
});

const startedAt = performance.now();
const report = new Report((line) => void process.stdout.write(`${line}\n`));
const random = randomFrom(values.seed);
report.say(`seed ${values.seed}`);
const streams = whole('--streams', values.streams);
if (streams > 0) await soakStreams({ streams, random: random.named('streams'), report });
const aborts = whole('--aborts', values.aborts);
if (aborts > 0) await soakAborts({ aborts, random: random.named('aborts'), report });
report.say(`\n${report.table()}\n\n${Math.round((performance.now() - startedAt) / 1000)} s, seed ${values.seed}`);
process.exitCode = report.failures.length === 0 ? 0 : 1;

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} has to be a whole number, not ${text}`);
  return value;
}
