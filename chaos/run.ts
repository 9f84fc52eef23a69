// One run: the processes, and round after round of clients and nemesis, each with a quiet end and a judgement of all that
// was seen so far. The first round that saw what must not be is the last.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Capabilities } from './capabilities.ts';
import { runClient } from './chat-client.ts';
import { check } from './checker.ts';
import type { Disturbed, Evidence, Violation } from './evidence.ts';
import { startLinks } from './links.ts';
import { type ChaosModel, startModel } from './model.ts';
import { startNemesis } from './nemesis.ts';
import { awaitCalm, awaitIdle, probe, readAll } from './quiescence.ts';
import { type Random, randomFrom } from './random.ts';
import { Recorder } from './recorder.ts';
import { startCluster } from './redis-cluster.ts';
import { startSentinel } from './redis-sentinel.ts';
import { startSingle } from './redis-single.ts';
import { channelsLeft, keysLeft, type RedisTopology, type TopologyName } from './redis-topology.ts';
import { Replica } from './replica.ts';
import type { RunSummary } from './report.ts';
import { ServiceApi } from './service-api.ts';
import { SessionPool } from './session-pool.ts';

export interface RunOptions {
  readonly seed: string;
  readonly topology: TopologyName;
  readonly minutes: number;
  /** How long the clients are at it before they are judged. */
  readonly roundS: number;
  readonly replicas: number;
  readonly sessions: number;
  readonly clients: number;
  /** A session with a longer history is followed by another. */
  readonly messagesMax: number;
  /** Parts of the names of the only disturbances that are wanted. */
  readonly faults?: readonly string[];
  /** So many times the usual time between two disturbances. */
  readonly gaps: number;
  /** How wrong the clock of each replica is; those beyond the list have a right one. */
  readonly clocksMs: readonly number[];
  /** Of the replicas. */
  readonly variables: Readonly<Record<string, string>>;
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
/** After a round: all turns in line, a lease, the time in which a finish is tried. */
const LATE_MS = 60_000;

const TOPOLOGY = { single: startSingle, sentinel: startSentinel, cluster: startCluster } as const;

export async function run(options: RunOptions): Promise<RunSummary> {
  await using stack = new AsyncDisposableStack();
  const model = stack.use(await startModel());
  const topology = stack.adopt(await TOPOLOGY[options.topology](), (redis) => redis.stop());
  const prefix = `chaos-${randomBytes(4).toString('hex')}`;
  const variables = { ...VARIABLES, ...options.variables };
  const replicas = await startReplicas(options, { topology, model, prefix, variables }, stack);
  options.say(
    `${replicas.length} replicas, ${topology.nodes.length} Redis nodes, ${topology.sentinels.length} sentinels`,
  );
  const recorder = new Recorder();
  const api = new ServiceApi(
    replicas.map(({ url }) => url),
    recorder,
  );
  const random = randomFrom(options.seed);
  const pool = new SessionPool(api, randomBytes(3).toString('hex'), options.sessions, random.named('pool'));
  const scene = { replicas, topology, leaseMs: Number(variables.LEASE_MS) };
  const going: Going = { options, scene, api, pool, recorder, random, disturbed: [] };
  const deadline = recorder.nowMs() + options.minutes * 60_000;
  for (let round = 0; ; round += 1) {
    const leftMs = Math.max(0, deadline - recorder.nowMs());
    const clientsEndedMs = await disturb(going, round, Math.min(leftMs, options.roundS * 1000));
    await rest(going, round);
    const evidence: Evidence = {
      operations: recorder.operations,
      disturbed: going.disturbed,
      modelCalls: model.calls,
      keys: await keysLeft(topology, prefix),
      channels: await channelsLeft(topology, prefix),
      processes: replicas.map((replica) => replica.fact()),
    };
    const violations: readonly Violation[] = check(evidence);
    options.say(`round ${round}: ${evidence.operations.length} operations so far, ${violations.length} violations`);
    if (violations.length > 0 || recorder.nowMs() >= deadline) return { evidence, violations, clientsEndedMs };
  }
}

type Replicas = readonly [Replica, ...Replica[]];

interface Going {
  readonly options: RunOptions;
  readonly scene: { readonly replicas: Replicas; readonly topology: RedisTopology; readonly leaseMs: number };
  readonly api: ServiceApi;
  readonly pool: SessionPool;
  readonly recorder: Recorder;
  readonly random: Random;
  readonly disturbed: Disturbed[];
}

interface Surroundings {
  readonly topology: RedisTopology;
  readonly model: ChaosModel;
  readonly prefix: string;
  readonly variables: Readonly<Record<string, string>>;
}

async function startReplicas(
  options: RunOptions,
  { topology, model, prefix, variables }: Surroundings,
  stack: AsyncDisposableStack,
): Promise<Replicas> {
  const start = async (number: number) => {
    const links = stack.adopt(await startLinks(topology, model.address), (own) => own.stop());
    const replica = await Replica.start({
      number,
      topology,
      links,
      prefix,
      variables,
      clockMs: options.clocksMs[number] ?? 0,
    });
    stack.defer(() => replica.kill());
    await replica.isReady();
    await replica.measureBaseline();
    return replica;
  };
  const first = await start(0);
  const others: Replica[] = [];
  for (let number = 1; number < options.replicas; number += 1) others.push(await start(number));
  return [first, ...others];
}

/** When its clients began to end. */
async function disturb(going: Going, round: number, forMs: number): Promise<number> {
  const { options, scene, api, pool, recorder, random, disturbed } = going;
  const [stop, late] = [new AbortController(), new AbortController()];
  api.late = late.signal;
  const nowMs = () => recorder.nowMs();
  const own = {
    random: random.named(`nemesis-${round}`),
    nowMs,
    gaps: options.gaps,
    ...(options.faults ? { faults: options.faults } : {}),
  };
  const nemesis = startNemesis(scene, own, stop.signal);
  const clients = Array.from({ length: options.clients }, (_, number) => {
    const name = `${round}c${number}`;
    const client = {
      name,
      api,
      pool,
      capabilities: options.capabilities,
      messagesMax: options.messagesMax,
      random: random.named(name),
    };
    return runClient(client, stop.signal);
  });
  await Promise.race([delay(forMs), Promise.all(clients)]);
  const clientsEndedMs = recorder.nowMs();
  stop.abort();
  const timer = setTimeout(() => late.abort(), LATE_MS);
  await Promise.all([nemesis.ended, ...clients]);
  clearTimeout(timer);
  disturbed.push(...nemesis.done);
  return clientsEndedMs;
}

async function rest({ scene, api, pool, recorder }: Going, round: number): Promise<void> {
  const { replicas, topology } = scene;
  for (const { links } of replicas) links.heal();
  await topology.settle();
  for (const replica of replicas) await replica.isReady();
  await Promise.all(pool.slots.map(({ ready }) => ready));
  await awaitIdle(api, pool.sessionIds);
  await probe(api, pool.sessionIds, round);
  await readAll(api, recorder.operations, pool.sessionIds);
  await awaitCalm(replicas, ({ openFiles }) => !openFiles || openFiles.now <= openFiles.baseline + FDS_CALM);
  for (const replica of replicas) await replica.measureEnd();
}
