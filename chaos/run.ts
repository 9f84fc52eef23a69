// One run: the processes, the clients and the nemesis for as long as was asked for, then the quiet end, and the judgement.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Capabilities } from './capabilities.ts';
import { runClient } from './chat-client.ts';
import { check } from './checker.ts';
import type { Evidence } from './evidence.ts';
import { startLinks } from './links.ts';
import { type ChaosModel, startModel } from './model.ts';
import { type Disturbed, startNemesis } from './nemesis.ts';
import { awaitCalm, awaitIdle, probe, readAll } from './quiescence.ts';
import { randomFrom } from './random.ts';
import { Recorder } from './recorder.ts';
import { startCluster } from './redis-cluster.ts';
import { startSentinel } from './redis-sentinel.ts';
import { startSingle } from './redis-single.ts';
import { keysLeft, type RedisTopology, type TopologyName } from './redis-topology.ts';
import { Replica } from './replica.ts';
import type { RunSummary } from './report.ts';
import { ServiceApi } from './service-api.ts';
import { SessionPool } from './session-pool.ts';

export interface RunOptions {
  readonly seed: string;
  readonly topology: TopologyName;
  readonly minutes: number;
  readonly replicas: number;
  readonly sessions: number;
  readonly clients: number;
  readonly capabilities: Capabilities;
  readonly say: (line: string) => void;
}

/** Shorter than the defaults, so that a minute sees more of them. */
const VARIABLES = {
  LEASE_MS: '8000',
  DRAIN_MS: '3000',
  UPSTREAM_CONNECT_TIMEOUT_MS: '2000',
  UPSTREAM_FIRST_EVENT_TIMEOUT_MS: '6000',
  UPSTREAM_IDLE_TIMEOUT_MS: '4000',
  UPSTREAM_RETRY_WAIT_MAX_MS: '1000',
  TURN_TIMEOUT_MS: '30000',
};
const FDS_CALM = 10;

const TOPOLOGY = { single: startSingle, sentinel: startSentinel, cluster: startCluster } as const;

export async function run(options: RunOptions): Promise<RunSummary> {
  await using stack = new AsyncDisposableStack();
  const model = stack.use(await startModel());
  const topology = stack.adopt(await TOPOLOGY[options.topology](), (redis) => redis.stop());
  const prefix = `chaos-${randomBytes(4).toString('hex')}`;
  const replicas = await startReplicas(options, topology, model, prefix, stack);
  options.say(
    `${replicas.length} replicas, ${topology.nodes.length} Redis nodes, ${topology.sentinels.length} sentinels`,
  );
  const recorder = new Recorder();
  const api = new ServiceApi(
    replicas.map(({ url }) => url),
    recorder,
  );
  const { pool, disturbed, clientsEndedMs } = await disturb(options, { replicas, topology }, api, recorder);
  await rest(replicas, topology, api, pool, recorder);
  const evidence: Evidence = {
    operations: recorder.operations,
    modelCalls: model.calls,
    keys: await keysLeft(topology, prefix),
    processes: replicas.map((replica) => replica.fact()),
  };
  return { evidence, disturbed, violations: check(evidence), clientsEndedMs };
}

type Replicas = readonly [Replica, ...Replica[]];

async function startReplicas(
  options: RunOptions,
  topology: RedisTopology,
  model: ChaosModel,
  prefix: string,
  stack: AsyncDisposableStack,
): Promise<Replicas> {
  const start = async (number: number) => {
    const links = stack.adopt(await startLinks(topology, model.address), (own) => own.stop());
    const replica = await Replica.start({ number, topology, links, prefix, variables: VARIABLES });
    stack.defer(() => replica.kill());
    await replica.isReady();
    replica.measureBaseline();
    return replica;
  };
  const first = await start(0);
  const others: Replica[] = [];
  for (let number = 1; number < options.replicas; number += 1) others.push(await start(number));
  return [first, ...others];
}

async function disturb(
  options: RunOptions,
  scene: { readonly replicas: Replicas; readonly topology: RedisTopology },
  api: ServiceApi,
  recorder: Recorder,
): Promise<{ readonly pool: SessionPool; readonly disturbed: readonly Disturbed[]; readonly clientsEndedMs: number }> {
  const random = randomFrom(options.seed);
  const runId = randomBytes(3).toString('hex');
  const pool = new SessionPool(api, runId, options.sessions, random.named('pool'));
  const stop = new AbortController();
  const nemesis = startNemesis(scene, random.named('nemesis'), () => recorder.nowMs(), stop.signal);
  const clients = Array.from({ length: options.clients }, (_, number) => {
    const name = `c${number}`;
    const own = { name, api, pool, capabilities: options.capabilities, random: random.named(name) };
    return runClient(own, stop.signal);
  });
  await Promise.race([delay(options.minutes * 60_000), Promise.all(clients)]);
  const clientsEndedMs = recorder.nowMs();
  options.say('putting everything right');
  stop.abort();
  await Promise.all([nemesis.ended, ...clients]);
  return { pool, disturbed: nemesis.done, clientsEndedMs };
}

async function rest(
  replicas: Replicas,
  topology: RedisTopology,
  api: ServiceApi,
  pool: SessionPool,
  recorder: Recorder,
): Promise<void> {
  for (const { links } of replicas) links.heal();
  await topology.settle();
  for (const replica of replicas) await replica.isReady();
  await Promise.all(pool.slots.map(({ ready }) => ready));
  await awaitIdle(api, pool.sessionIds);
  await probe(api, pool.sessionIds);
  await readAll(api, recorder.operations, pool.sessionIds);
  await awaitCalm(replicas, (replica) => {
    const { baseline, atEnd } = replica.fact();
    return !baseline || !atEnd || atEnd.fds <= baseline.fds + FDS_CALM;
  });
}
