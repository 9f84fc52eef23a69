// scripts/ensure-servers.js, which runs before the tests. (Not tested here: that it installs; that needs another machine.)

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../scripts/ensure-servers.js');
const REDIS = { 'bin/redis-server': 'echo "Redis server v=7.0.15"' };
const OPENSSL = { 'bin/openssl': '[ "$1" = version ] && echo "OpenSSL 3.0.17"' };
const NGINX = { 'bin/nginx': 'echo "nginx version: nginx/1.22.1" >&2' };

describe('ensure-servers', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'csp-test-path-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** The script where nothing but these programs is there, and `bin` is the PATH. */
  function run(programs: Record<string, string>, env: Record<string, string> = {}) {
    for (const [name, script] of Object.entries(programs)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(folder, name), 0o755);
    }
    const { status, stdout } = spawnSync(process.execPath, [SCRIPT], {
      env: { PATH: join(folder, 'bin'), ...env },
      encoding: 'utf8',
    });
    return { status, stdout };
  }

  it('says which redis-server, nginx and openssl the tests will start', () => {
    const { status, stdout } = run({ ...REDIS, ...NGINX, ...OPENSSL });
    expect(stdout).toContain('v=7.0.15');
    expect(stdout).toContain('nginx/1.22.1');
    expect(stdout).toContain('OpenSSL 3.0.17');
    expect(status).toBe(0);
  });

  it('finds an nginx where Debian puts it: not on the PATH of those who are not root', () => {
    const { status, stdout } = run({ ...REDIS, ...OPENSSL, 'sbin/nginx': NGINX['bin/nginx'] });
    expect(stdout).toContain('nginx/1.22.1');
    expect(status).toBe(0);
  });

  it('says that a Redis that was named is used, without its password', () => {
    const named = { TEST_REDIS_URL: 'redis://user:secret@redis.test:6380/2' };
    const { status, stdout } = run({ ...REDIS, ...NGINX, ...OPENSSL }, named);
    expect(stdout).toContain('redis://redis.test:6380/2');
    expect(stdout).not.toContain('secret');
    expect(status).toBe(0);
  });

  it.each([
    ['Redis', { ...NGINX, ...OPENSSL }, 'sudo dnf install -y redis\n'],
    ['nginx', { ...REDIS, ...OPENSSL }, 'sudo dnf install -y nginx\n'],
    ['openssl', { ...REDIS, ...NGINX }, 'sudo dnf install -y openssl\n'],
    ['of them', {}, 'sudo dnf install -y redis nginx openssl\n'],
  ])('names one command and fails where there is no %s and it cannot install it', (_what, present, command) => {
    const { status, stdout } = run({ ...present, 'bin/dnf': 'exit 1' });
    expect(stdout).toContain(command);
    expect(status).toBe(1);
  });
});
