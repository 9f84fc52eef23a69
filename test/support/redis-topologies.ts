// Several Redis servers as one: a Sentinel set and a Cluster.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freeClusterPort, freePort } from './free-port.ts';
import { type GuardedProcess, startGuarded } from './guarded-process.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const run = promisify(execFile);

async function redisCli(port: number, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...args], { timeout: 20_000 });
  return stdout;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RedisCluster {
  readonly nodes: readonly Address[];
  readonly masters: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Three masters without replicas. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const masters: RedisServer[] = [];
  const stop = async () => void (await Promise.all(masters.map((master) => master.stop())));
  try {
    for (let i = 0; i < 3; i += 1) masters.push(await RedisServer.start({ port: await freeClusterPort(), args }));
    const addresses = masters.map(({ port }) => `127.0.0.1:${port}`);
    await redisCli(masters[0]?.port ?? 0, '--cluster', 'create', ...addresses, '--cluster-yes');
    await until('every node of the cluster knows all slots', async () => {
      const infos = await Promise.all(masters.map(({ port }) => redisCli(port, 'CLUSTER', 'INFO')));
      return infos.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384'));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes: masters.map(({ address }) => address), masters, stop };
}

export interface RedisSentinels {
  readonly sentinels: readonly Address[];
  readonly masterName: string;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Makes the replica the master, as an operator would. Resolves when the sentinels say so. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** A master, its replica, and three sentinels. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const masterName = 'csp-test';
  const folder = await mkdtemp(join(tmpdir(), 'csp-test-sentinels-'));
  const servers: RedisServer[] = [];
  const watchers: { readonly port: number; readonly process: GuardedProcess }[] = [];
  const stop = async () => {
    await Promise.all(watchers.map(({ process }) => process.end('SIGKILL')));
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const master = await RedisServer.start();
    servers.push(master);
    const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    servers.push(replica);
    for (let i = 0; i < 3; i += 1) watchers.push(await startSentinel(folder, masterName, master.port));
    const first = watchers[0]?.port ?? 0;
    await until('the sentinels know each other and the replica', () => agree(watchers, masterName));
    const sentinels = watchers.map(({ port }) => ({ host: '127.0.0.1', port }));
    const failOver = async () => {
      await redisCli(first, 'SENTINEL', 'FAILOVER', masterName);
      await until('the sentinels name the new master', async () => {
        const named = await redisCli(first, 'SENTINEL', 'get-master-addr-by-name', masterName);
        return named.includes(String(replica.port));
      });
    };
    return { sentinels, masterName, master, replica, failOver, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSentinel(folder: string, masterName: string, masterPort: number) {
  const port = await freePort();
  const file = join(folder, `sentinel-${port}.conf`);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    'protected-mode no',
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 5000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return { port, process: await startGuarded('redis-server', [file, '--sentinel'], folder) };
}

async function agree(watchers: readonly { readonly port: number }[], masterName: string): Promise<boolean> {
  try {
    const answers = await Promise.all(watchers.map(({ port }) => redisCli(port, 'SENTINEL', 'ckquorum', masterName)));
    const replicas = await Promise.all(watchers.map(({ port }) => redisCli(port, 'SENTINEL', 'replicas', masterName)));
    return answers.every((text) => text.startsWith('OK 3')) && replicas.every((text) => text.includes('slave'));
  } catch {
    // Not up yet, or not known yet.
    return false;
  }
}
