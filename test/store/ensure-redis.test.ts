// scripts/ensure-redis.js, which runs before the tests. (Not tested here: that it installs; that needs another machine.)

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../scripts/ensure-redis.js');

describe('ensure-redis', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'csp-test-path-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** The script where nothing but these programs is on the PATH. */
  function run(programs: Record<string, string>, env: Record<string, string> = {}) {
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(folder, name), 0o755);
    }
    const { status, stdout } = spawnSync(process.execPath, [SCRIPT], {
      env: { PATH: folder, ...env },
      encoding: 'utf8',
    });
    return { status, stdout };
  }

  it('says which redis-server the tests will start', () => {
    const { status, stdout } = run({ 'redis-server': 'echo "Redis server v=7.0.15"' });
    expect(stdout).toContain('v=7.0.15');
    expect(status).toBe(0);
  });

  it('says that a Redis that was named is used, without its password', () => {
    const named = { TEST_REDIS_URL: 'redis://user:secret@redis.test:6380/2' };
    const { status, stdout } = run({ 'redis-server': 'echo "Redis server v=7.0.15"' }, named);
    expect(stdout).toContain('redis://redis.test:6380/2');
    expect(stdout).not.toContain('secret');
    expect(status).toBe(0);
  });

  it('names one command and fails where there is no Redis and it cannot install it', () => {
    const { status, stdout } = run({ dnf: 'exit 1' });
    expect(stdout).toContain('sudo dnf install -y redis');
    expect(status).toBe(1);
  });
});
