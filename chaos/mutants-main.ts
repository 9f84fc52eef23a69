// `npm run chaos:mutants [-- --only PART]`: each defect of `mutants.ts` has a run of its own, which has to see it. Ends with 1
// when one was not seen, or when the service without a defect was found wanting.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startGuarded } from '../test/support/guarded-process.ts';
import { until } from '../test/support/until.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { copyWith } from './mutated-copy.ts';

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, minutes: { type: 'string', default: '2' } },
});

const OPTIONS = ['--round', '10', '--sessions', '5', '--clients', '14', '--minutes', values.minutes];
/** The rest that follows the last round, and the start. */
const MORE_MS = 300_000;
const NONE: Mutant = { name: '(no defect)', patches: [], options: ['--minutes', '0.5'] };

interface Outcome {
  readonly seconds: number;
  /** Missing when the run came to no end of its own. */
  readonly found: readonly { readonly invariant: string; readonly message?: string }[] | undefined;
}

let isWell = true;
for (const mutant of [NONE, ...MUTANTS].filter(({ name }) => name.includes(values.only))) {
  const { seconds, found } = await outcomeOf(mutant);
  const isCaught = found !== undefined && found.length > 0;
  isWell &&= found !== undefined && isCaught === mutant.patches.length > 0;
  const [first] = found ?? [];
  say(
    `| ${mutant.name.padEnd(45)} | ${verdict(mutant, found).padEnd(12)} | ${seconds.toFixed(0).padStart(4)} s | ${short(first?.message)} |`,
  );
}
process.exitCode = isWell ? 0 : 1;

async function outcomeOf(mutant: Mutant): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'csp-mutant-'));
  const result = join(folder, 'result.json');
  await copyWith(mutant, folder);
  const startedAt = performance.now();
  const args = [
    join(folder, 'chaos/main.ts'),
    ...OPTIONS,
    ...mutant.options,
    '--seed',
    mutant.name,
    '--result',
    result,
  ];
  const child = await startGuarded(process.execPath, args, folder);
  // A run that has not ended has no result.
  await until('the run has ended', () => child.hasExited, {
    deadlineMs: Number(values.minutes) * 60_000 + MORE_MS,
    everyMs: 100,
  }).catch(() => undefined);
  await child.end();
  const seconds = (performance.now() - startedAt) / 1000;
  const text = await readFile(result, 'utf8').catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
  if (text === undefined) process.stderr.write(`${mutant.name}: the run has failed\n${child.output}\n`);
  return { seconds, found: text === undefined ? undefined : JSON.parse(text) };
}

function verdict(mutant: Mutant, found: Outcome['found']): string {
  if (!found) return 'DID NOT END';
  if (found.length > 0) return found.map(({ invariant }) => invariant).join(' ');
  return mutant === NONE ? '–' : 'NOT CAUGHT';
}

function short(message = ''): string {
  return message.length > 110 ? `${message.slice(0, 110)}…` : message;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
