// Writes what the service is made of, as a CycloneDX document: npm run sbom -- FILE
// The same lock file gives the same document but for its time, which SOURCE_DATE_EPOCH (seconds) sets.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isForProduction, readLockFile } from './locked-packages.ts';

interface Bom {
  serialNumber: string;
  metadata: { timestamp?: string };
}

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('Usage: npm run sbom -- FILE\n');
  process.exit(1);
}
const bom = describeProduction();
delete bom.metadata.timestamp;
bom.serialNumber = '';
bom.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(bom))}`;
const { SOURCE_DATE_EPOCH } = process.env;
const time = SOURCE_DATE_EPOCH ? new Date(Number(SOURCE_DATE_EPOCH) * 1000) : new Date();
bom.metadata.timestamp = time.toISOString();
writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);

/**
 * Where there is nothing else: with `--omit=dev` npm 11 leaves out what development needs *as well*, a quarter of all. It
 * takes the name of the document from the folder.
 */
function describeProduction(): Bom {
  const lock = readLockFile();
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as object;
  const parent = mkdtempSync(join(tmpdir(), 'csp-sbom-'));
  const folder = join(parent, lock.name);
  try {
    mkdirSync(folder);
    const packages = Object.entries(lock.packages).filter(([, entry]) => isForProduction(entry));
    const own = { ...lock.packages[''], devDependencies: {} };
    const production = { ...lock, packages: { ...Object.fromEntries(packages), '': own } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, devDependencies: {} }));
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(production));
    const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
    return JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' })) as Bom;
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** Version 8 (RFC 9562): of our own making, here from a digest. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
