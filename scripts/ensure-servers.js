// Runs before the tests (`pretest`): they need a redis-server that they can start, kill and freeze themselves, an nginx to
// stand in front of replicas, and openssl for the certificates of TLS. What one running Redis can show is tried on the one
// that TEST_REDIS_URL names, if it names one.
// Plain JavaScript on Node's own modules, because it may run before anything else works.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the tests start, with the names of their packages: Debian's and Ubuntu's, and everybody else's. */
const PROGRAMS = [
  { program: 'redis-server', apt: 'redis-server', other: 'redis', versionFlag: '--version' },
  { program: 'nginx', apt: 'nginx', other: 'nginx', versionFlag: '-v' },
  { program: 'openssl', apt: 'openssl', other: 'openssl', versionFlag: 'version' },
];

const UPDATE = ['apt-get', 'update'];
const INSTALL = ['apt-get', 'install', '-y', '--no-install-recommends'];

/** Debian's packages start their services; a policy that answers 101 ("forbidden") keeps them from that. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';

main();

function main() {
  const { TEST_REDIS_URL } = process.env;
  if (TEST_REDIS_URL) {
    say(`The tests use the Redis of TEST_REDIS_URL (${withoutSecrets(TEST_REDIS_URL)}) wherever one will do.`);
  }
  const missing = PROGRAMS.filter(({ program }) => pathOf(program) === undefined);
  for (const each of PROGRAMS) if (!missing.includes(each)) say(`The tests start ${versionOf(each)}`);
  if (missing.length === 0) return;
  if (canInstall()) {
    install(missing);
  } else {
    const names = missing.map(({ program }) => program).join(' and ');
    say(`The tests need ${names} on the PATH. Install with:\n  ${commandFor(missing)}`);
    process.exitCode = 1;
  }
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Debian leaves the folders of servers out of the PATH of those who are not root. */
function pathOf(program) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const besides = folders.filter((folder) => folder.endsWith('/bin')).map((folder) => folder.replace(/bin$/, 'sbin'));
  return [...folders, ...besides]
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** nginx says it on standard error. */
function versionOf({ program, versionFlag }) {
  const { stdout, stderr } = spawnSync(pathOf(program) ?? program, [versionFlag], { encoding: 'utf8' });
  return stdout?.trim() || stderr?.trim() || program;
}

function withoutSecrets(url) {
  const { protocol, host, pathname } = URL.parse(url) ?? {};
  return host === undefined ? 'not a URL' : `${protocol}//${host}${pathname}`;
}

function canInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && pathOf('apt-get') !== undefined;
}

function install(missing) {
  const packages = missing.map(({ apt }) => apt);
  const names = missing.map(({ program }) => program).join(' and ');
  say(`${names} missing: installing Debian's ${packages.join(' and ')} for the tests.`);
  const isPolicyOurs = !existsSync(POLICY_FILE);
  if (isPolicyOurs) writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    for (const command of [UPDATE, [...INSTALL, ...packages]]) run(command);
  } finally {
    if (isPolicyOurs) rmSync(POLICY_FILE, { force: true });
  }
  if (process.exitCode === undefined) say(`Installed: ${missing.map(versionOf).join(', ')}`);
}

function run([program, ...args]) {
  if (process.exitCode !== undefined) return;
  // RUNLEVEL=1: a policy of somebody else's may allow services, but none is started in single-user mode.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', env });
  if (status === 0) return;
  say(`Failed: ${[program, ...args].join(' ')}${error ? ` (${error.message})` : ''}`);
  process.exitCode = 1;
}

function commandFor(missing) {
  const packages = missing.map(({ other }) => other).join(' ');
  if (process.platform === 'darwin') return `brew install ${packages}`;
  if (pathOf('apt-get')) {
    return `sudo ${UPDATE.join(' ')} && sudo ${INSTALL.join(' ')} ${missing.map(({ apt }) => apt).join(' ')}`;
  }
  if (pathOf('dnf')) return `sudo dnf install -y ${packages}`;
  if (pathOf('apk')) return `sudo apk add ${packages}`;
  return `your package manager: the packages are called ${packages} or much like it`;
}
