// Writes docs/licenses.md; with --check, says whether the committed file is still true. Either fails on a licence that is
// not among the permissive ones.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { licenseProblems, licensesDocument } from './licenses.ts';
import { isForProduction, lockedPackages, readLockFile } from './locked-packages.ts';

const FILE = new URL('../docs/licenses.md', import.meta.url);

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const packages = lockedPackages(readLockFile()).filter(isForProduction);
const document = licensesDocument(packages);
if (!values.check) {
  writeFileSync(FILE, document);
} else if (!existsSync(FILE) || readFileSync(FILE, 'utf8') !== document) {
  fail('docs/licenses.md is not what package-lock.json says: npm run licenses');
}
for (const problem of licenseProblems(packages))
  fail(`A licence that is not among those of scripts/licenses.ts: ${problem}`);

function fail(problem: string): void {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
}
