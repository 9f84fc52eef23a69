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

export async function redisCli(port: number, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...args], { timeout: 20_000 });
  return stdout;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RedisCluster {
  readonly nodes: readonly Address[];
  readonly servers: readonly RedisServer[];
  readonly masters: readonly RedisServer[];
  stop(): Promise<void>;
}

export interface RedisClusterOptions {
  readonly replicasEach?: number;
  readonly args?: readonly string[];
}

const MASTERS = 3;

/** Three masters; without replicas unless they are asked for. */
export async function startRedisCluster({
  replicasEach = 0,
  args = [],
}: RedisClusterOptions = {}): Promise<RedisCluster> {
  const all = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...args];
  const servers: RedisServer[] = [];
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())));
  try {
    for (let i = 0; i < MASTERS * (1 + replicasEach); i += 1) {
      servers.push(await RedisServer.start({ port: await freeClusterPort(), args: all }));
    }
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicasEach), '--cluster-yes'];
    await redisCli(servers[0]?.port ?? 0, ...create);
    await until('every node of the cluster knows all slots', async () => {
      const infos = await Promise.all(servers.map(({ port }) => redisCli(port, 'CLUSTER', 'INFO')));
      return infos.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384'));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const masters = servers.slice(0, MASTERS);
  return { nodes: servers.map(({ address }) => address), servers, masters, stop };
}

export interface RedisSentinelSet {
  readonly sentinels: readonly Address[];
  readonly masterName: string;
  /** The first master, then its replicas. */
  readonly nodes: readonly [RedisServer, ...RedisServer[]];
  /** What a sentinel answers to `SENTINEL …`. */
  ask(...args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface RedisSentinels extends RedisSentinelSet {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Makes the replica the master, as an operator would. Resolves when the sentinels say so. */
  failOver(): Promise<void>;
}

/** A master, its replica, and three sentinels. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const set = await startSentinelSet({ replicas: 1 });
  const [master, replica = master] = set.nodes;
  const failOver = async () => {
    await set.ask('FAILOVER', set.masterName);
    await until('the sentinels name the new master', async () => {
      return (await set.ask('get-master-addr-by-name', set.masterName)).includes(String(replica.port));
    });
  };
  return { ...set, master, replica, failOver };
}

export interface RedisSentinelOptions {
  readonly replicas: number;
  readonly args?: readonly string[];
}

/** A master, its replicas, and three sentinels. What they decide survives a restart of a server. */
export async function startSentinelSet({ replicas, args = [] }: RedisSentinelOptions): Promise<RedisSentinelSet> {
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
    const master = await RedisServer.start({ args, keepsConfig: true });
    servers.push(master);
    for (let i = 0; i < replicas; i += 1) {
      const replica = await RedisServer.start({ args, keepsConfig: true });
      servers.push(replica);
      await redisCli(replica.port, 'REPLICAOF', '127.0.0.1', String(master.port));
      await redisCli(replica.port, 'CONFIG', 'REWRITE');
    }
    for (let i = 0; i < 3; i += 1) watchers.push(await startSentinel(folder, masterName, master.port));
    const first = watchers[0]?.port ?? 0;
    await until('the sentinels know each other and the replicas', () => agree(watchers, masterName, replicas));
    const sentinels = watchers.map(({ port }) => ({ host: '127.0.0.1', port }));
    const ask = (...words: readonly string[]) => redisCli(first, 'SENTINEL', ...words);
    return { sentinels, masterName, nodes: [master, ...servers.slice(1)], ask, stop };
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

async function agree(
  watchers: readonly { readonly port: number }[],
  masterName: string,
  replicas: number,
): Promise<boolean> {
  try {
    const answers = await Promise.all(watchers.map(({ port }) => redisCli(port, 'SENTINEL', 'ckquorum', masterName)));
    const known = await Promise.all(watchers.map(({ port }) => redisCli(port, 'SENTINEL', 'replicas', masterName)));
    const hasAll = (text: string) => text.split('\n').filter((line) => line === 'runid').length >= replicas;
    return answers.every((text) => text.startsWith('OK 3')) && known.every(hasAll);
  } catch {
    // Not up yet, or not known yet.
    return false;
  }
}
