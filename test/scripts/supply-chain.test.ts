// What the service is made of: nothing but packages of a registry, known by their hashes, under licences that were agreed to,
// and none that runs something while it is installed.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { licenseProblems, licensesDocument } from '../../scripts/licenses.ts';
import { isForProduction, lockedPackages, readLockFile } from '../../scripts/locked-packages.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const LOCKED = lockedPackages(readLockFile());
const PRODUCTION = LOCKED.filter(isForProduction);

describe('package-lock.json', () => {
  it('knows every package by its hash, and leaves where it comes from to the machine', () => {
    expect(LOCKED.length).toBeGreaterThan(200);
    const odd = LOCKED.filter(({ integrity, resolved, link }) => {
      return !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '') || resolved !== undefined || link;
    });
    expect(odd.map(({ name }) => name)).toEqual([]);
  });

  it('has no dependency on a branch, an address or a folder: nothing that can change under its version', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
    const own = ['dependencies', 'devDependencies', 'optionalDependencies'].map((kind) => manifest[kind] ?? {});
    const asked = [...own, ...LOCKED.map(({ dependencies = {} }) => dependencies)].flatMap(Object.entries);
    expect(asked.length).toBeGreaterThan(200);
    expect(asked.filter(([, range]) => /[:/]/.test(range.replace(/^npm:@?[\w./-]+@/, '')))).toEqual([]);
  });

  it('lets no package run a script of its own while it is installed', () => {
    const { allowScripts } = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> };
    const scripted = LOCKED.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name);
    expect(allowScripts).toEqual(Object.fromEntries(scripted.map((name) => [name, false])));
    expect(read('.npmrc')).toMatch(/^strict-allow-scripts=true$/m);
  });
});

describe('the licences', () => {
  it('in docs/licenses.md are those of the lock file, and of the packages themselves', () => {
    expect(read('docs/licenses.md')).toBe(licensesDocument(PRODUCTION));
    expect(licenseProblems(PRODUCTION)).toEqual([]);
    const installed = Object.entries(readLockFile().packages).filter(
      ([path, entry]) => path !== '' && isForProduction(entry) && existsSync(join(ROOT, path)),
    );
    expect(installed.length).toBeGreaterThan(80);
    const other = installed.filter(
      ([path, { license }]) => JSON.parse(read(`${path}/package.json`)).license !== license,
    );
    expect(other.map(([path]) => path)).toEqual([]);
  });

  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND Apache-2.0', true],
    ['AGPL-3.0-only', false],
    ['MIT AND LGPL-3.0-only', false],
    ['SEE LICENSE IN LICENSE.txt', false],
    [undefined, false],
  ])('that are not permissive are told: %s', (license, isFine) => {
    const problems = licenseProblems([{ name: 'it', version: '1.0.0', ...(license ? { license } : {}) }]);
    expect(problems.length === 0).toBe(isFine);
  });
});

describe('npm run sbom', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'csp-test-sbom-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function write(name: string): string {
    const file = join(folder, name);
    const env = { ...process.env, SOURCE_DATE_EPOCH: '1800000000' };
    const { status, stderr } = spawnSync(process.execPath, ['scripts/write-sbom.ts', file], {
      cwd: ROOT,
      env,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    return readFileSync(file, 'utf8');
  }

  it('names every package of production, with version, licence and hash, and no other', () => {
    const text = write('first');
    const bom = JSON.parse(text);
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { timestamp: '2027-01-15T08:00:00.000Z' } });
    expect(bom.metadata.component).toMatchObject({ name: 'chat-session-proxy', type: 'application' });
    const components = bom.components as {
      name: string;
      version: string;
      hashes: { content: string }[];
      licenses: readonly unknown[];
    }[];
    const facts = components.map(({ name, version, hashes }) => {
      return `${name} ${version} sha512-${Buffer.from(hashes[0]?.content ?? '', 'hex').toString('base64')}`;
    });
    const locked = PRODUCTION.map(({ name, version, integrity }) => `${name} ${version} ${integrity}`);
    expect(facts.sort()).toEqual([...new Set(locked)].sort());
    expect(components.filter(({ licenses }) => licenses[0] === undefined)).toEqual([]);
    expect(write('second')).toBe(text);
  });
});

describe('npm run audit', () => {
  let registry: Server;
  let answer: { readonly status: number; readonly body: unknown };
  /** For caches of npm, which keeps advisories. */
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'csp-test-audit-'));
    registry = createServer((request, response) => {
      const isAudit = request.method === 'POST' && request.url === '/-/npm/v1/security/advisories/bulk';
      request.resume().on('end', () => {
        response.writeHead(isAudit ? answer.status : 404, { 'content-type': 'application/json' });
        response.end(JSON.stringify(isAudit ? answer.body : {}));
      });
    });
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
  });
  afterAll(() => {
    registry.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function audit(status: number, body: unknown): Promise<{ code: number; output: string }> {
    answer = { status, body };
    const { port } = registry.address() as AddressInfo;
    const own = { registry: `http://127.0.0.1:${port}`, fetch_retries: '0', cache: mkdtempSync(join(folder, 'npm-')) };
    const settings = Object.entries(own).map(([name, value]) => [`npm_config_${name}`, value]);
    const env = { ...process.env, ...Object.fromEntries(settings) };
    const child = spawn(process.execPath, ['scripts/audit.ts'], { cwd: ROOT, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output };
  }

  it('passes when nothing is known', async () => {
    expect(await audit(200, {})).toEqual({ code: 0, output: expect.stringContaining('0 known vulnerabilities') });
  });

  it('fails on what is high, and names it', async () => {
    const advisory = {
      id: 1,
      url: 'https://advisories.test/1',
      title: 'x',
      vulnerable_versions: '>=0',
      cwe: [],
      cvss: {},
    };
    const { code, output } = await audit(200, { jose: [{ ...advisory, severity: 'high' }] });
    expect(output).toMatch(/^high: jose/m);
    expect(code).toBe(1);
    expect(await audit(200, { jose: [{ ...advisory, severity: 'low' }] })).toMatchObject({ code: 0 });
  });

  it('fails, and says so, when the registry cannot tell', async () => {
    for (const [status, body] of [
      [405, {}],
      [500, {}],
      [200, 'no audit'],
    ] as const) {
      const { code, output } = await audit(status, body);
      expect(output).toMatch(/^NOT AUDITED/m);
      expect(code).toBe(2);
    }
  });
});
