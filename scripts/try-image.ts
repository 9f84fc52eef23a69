// Builds the image and tries it as it is to be run: not as root, nothing to write to, no capabilities, no shell, in a Redis
// where it may do no more than it needs. Not part of the gate, since it needs a container engine. Linux only: the container
// shares the network of this machine.
//   npm run image -- [--engine 'podman --some-option'] [--image NAME]    (NAME is not built, but tried)

import { execFileSync, spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { startEmulator } from '../src/emulator/server.ts';
import { Client } from '../test/support/client.ts';
import { freePort } from '../test/support/free-port.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { addUser, REDIS_USER, refusedTo } from '../test/support/redis-user.ts';
import { statusOf } from '../test/support/spawned-service.ts';
import { until } from '../test/support/until.ts';

const { values } = parseArgs({ options: { engine: { type: 'string', default: 'docker' }, image: { type: 'string' } } });
const [program = 'docker', ...engineArgs] = values.engine.split(' ');
const HARDENED = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--memory', '256m'];
const READY_MS = 30_000;

function engine(...args: readonly string[]): string {
  return execFileSync(program, [...engineArgs, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

function statusInside(container: string, command: readonly string[]): number | null {
  return spawnSync(program, [...engineArgs, 'exec', container, ...command], { stdio: 'ignore' }).status;
}

let isAllWell = true;
function check(fact: string, holds: boolean): void {
  isAllWell &&= holds;
  process.stdout.write(`${holds ? 'ok    ' : 'FAILED'} ${fact}\n`);
}

function build(): string {
  const name = 'chat-session-proxy:try';
  // What Podman builds by default, the format of OCI, knows no health checks.
  const format = program.endsWith('podman') ? ['--format', 'docker'] : [];
  const { status } = spawnSync(program, [...engineArgs, 'build', ...format, '-t', name, '.'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the image could not be built');
  return name;
}

const image = values.image ?? build();
const redis = await RedisServer.start();
const operator = redis.client();
await addUser(operator, 'csp:');
// Slow enough for a turn to be running when the container is told to end.
const emulator = await startEmulator({ chunkDelayMs: 100 });
const port = await freePort();
const variables = {
  ...{ HOST: '127.0.0.1', PORT: String(port), AUTH: 'none', REDIS_URL: redis.url },
  ...{ REDIS_USERNAME: REDIS_USER.username, REDIS_PASSWORD: REDIS_USER.password },
  ...{ VERTEX_AI_EMULATOR_HOST: emulator.address, DEFAULT_MODEL: 'emulator' },
};
const settings = Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
// Engines without systemd cannot run health checks by themselves; the command is tried below.
const container = engine('run', '-d', '--network', 'host', '--no-healthcheck', ...HARDENED, ...settings, image);
try {
  await tryIt(new Client(`http://127.0.0.1:${port}`));
} finally {
  engine('rm', '-f', container);
  await emulator.close();
  operator.disconnect();
  await redis.stop();
}
process.exitCode = isAllWell ? 0 : 1;

async function tryIt(client: Client): Promise<void> {
  await until('the container is ready', async () => (await statusOf(`${client.url}/readyz`)) === 200, {
    deadlineMs: READY_MS,
  });
  const evaluate = (code: string) => statusInside(container, ['node', '-e', code]);
  check('it does not run as root', evaluate('process.exit(process.getuid() === 1000 ? 0 : 1)') === 0);
  const places = JSON.stringify(['/app/x', '/usr/local/bin/x', '/home/node/x', '/x']);
  check(
    'it cannot write where programs or its own files are',
    evaluate(`for (const p of ${places}) try { fs.writeFileSync(p, ''); process.exit(1) } catch {}`) === 0,
  );
  const programs = ['sh', 'bash', 'npm', 'apt-get', 'env', '/bin/sh', '/bin/busybox'];
  check(
    'it has no shell and no other program',
    programs.every((name) => statusInside(container, [name]) !== 0),
  );
  const privileges = 'fs.readFileSync("/proc/1/status", "utf8")';
  check(
    'it has no capabilities, and can gain none',
    evaluate(
      `process.exit(/^CapBnd:\\s0+$/m.test(${privileges}) && /^NoNewPrivs:\\s1$/m.test(${privileges}) ? 0 : 1)`,
    ) === 0,
  );
  const health = JSON.parse(
    engine('image', 'inspect', '--format', '{{json .Config.Healthcheck.Test}}', image),
  ) as string[];
  check('its health check passes', health[0] === 'CMD' && statusInside(container, health.slice(1)) === 0);

  const path = await client.session();
  const sent = await client.post(`${path}/messages`, { message: 'Hello' });
  check('a message is answered', sent.status === 200 && sent.json.state === 'COMMITTED');
  const stream = await client.stream(path, { message: 'Hello again' }).done();
  check('a message is answered as a stream', stream.terminal?.event === 'turn.committed');
  const last = client.stream(path, { message: 'Tell me more' });
  await last.until('the model has begun', ({ events }) => events.some(({ event }) => event === 'candidate.delta'));
  engine('kill', '--signal', 'TERM', container);
  check('a turn that runs is finished after SIGTERM', (await last.done()).terminal?.event === 'turn.committed');
  check('and the container ends with 0', engine('wait', container) === '0');
  check('Redis has refused it nothing', (await refusedTo(operator)).length === 0);
}
