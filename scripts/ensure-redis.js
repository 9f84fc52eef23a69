// Runs before the tests (`pretest`): they need a redis-server that they can start, kill and freeze themselves. What one
// running Redis can show is tried on the one that TEST_REDIS_URL names, if it names one.
// Plain JavaScript on Node's own modules, because it may run before anything else works.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const UPDATE = ['apt-get', 'update'];
const INSTALL = ['apt-get', 'install', '-y', '--no-install-recommends', 'redis-server'];

/** Debian's package starts its service; a policy that answers 101 ("forbidden") keeps it from that. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';

main();

function main() {
  const { TEST_REDIS_URL } = process.env;
  if (TEST_REDIS_URL) {
    say(`The tests use the Redis of TEST_REDIS_URL (${withoutSecrets(TEST_REDIS_URL)}) wherever one will do.`);
  }
  if (isOnPath('redis-server')) {
    say(`The tests start ${versionOf('redis-server')}`);
  } else if (canInstall()) {
    install();
  } else {
    say(`The tests need redis-server on the PATH. Install it with:\n  ${commandFor()}`);
    process.exitCode = 1;
  }
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function versionOf(program) {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return stdout?.trim() || program;
}

function withoutSecrets(url) {
  const { protocol, host, pathname } = URL.parse(url) ?? {};
  return host === undefined ? 'not a URL' : `${protocol}//${host}${pathname}`;
}

function canInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && isOnPath('apt-get');
}

function install() {
  say("redis-server is missing: installing Debian's package redis-server for the tests.");
  const isPolicyOurs = !existsSync(POLICY_FILE);
  if (isPolicyOurs) writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    for (const command of [UPDATE, INSTALL]) run(command);
  } finally {
    if (isPolicyOurs) rmSync(POLICY_FILE, { force: true });
  }
  if (process.exitCode === undefined) say(`Installed: ${versionOf('redis-server')}`);
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

function commandFor() {
  if (process.platform === 'darwin') return 'brew install redis';
  if (isOnPath('apt-get')) return `sudo ${UPDATE.join(' ')} && sudo ${INSTALL.join(' ')}`;
  if (isOnPath('dnf')) return 'sudo dnf install -y redis';
  if (isOnPath('apk')) return 'sudo apk add redis';
  return 'your package manager: the package is called redis or redis-server';
}
