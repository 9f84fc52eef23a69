// Asks the registry for known vulnerabilities of the packages of production. Fails on those that are high or critical, and
// also when it got no answer: not to know is not to be well.

import { spawnSync } from 'node:child_process';

interface Report {
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
  readonly statusCode?: number;
}

const { stdout, status } = spawnSync('npm', ['audit', '--omit=dev', '--audit-level=high', '--json'], {
  encoding: 'utf8',
});
const report = parse(stdout);
if (!report.metadata) {
  const why = report.statusCode === undefined ? 'it did not answer' : `it answered ${report.statusCode}`;
  process.stderr.write(
    `NOT AUDITED: the package registry of this machine cannot tell about vulnerabilities (${why}).\n` +
      'Nothing is known about them now. Run this where npm reaches a registry that can.\n',
  );
  process.exit(2);
}
for (const [name, { severity, range }] of Object.entries(report.vulnerabilities ?? {})) {
  process.stdout.write(`${severity}: ${name} ${range}\n`);
}
const { total = 0, high = 0, critical = 0 } = report.metadata.vulnerabilities;
process.stdout.write(`${total} known vulnerabilities, ${high} of them high and ${critical} critical.\n`);
process.exitCode = status ?? 1;

function parse(text: string): Report {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return {};
  }
}
