// One replica of the service: a process that is killed, frozen, drained and started again on its port, and whose log is
// read for what must never be in it.

import { freePort } from '../test/support/free-port.ts';
import { INSPECTED, inspectorIn, liveMiB } from '../test/support/live-memory.ts';
import { type Resources, resourcesOf } from '../test/support/resources.ts';
import { type SpawnedService, spawnService, statusOf, withClock } from '../test/support/spawned-service.ts';
import { until } from '../test/support/until.ts';
import type { ProcessFact, Used } from './evidence.ts';
import type { Links } from './links.ts';
import { MODEL } from './model.ts';
import type { RedisTopology } from './redis-topology.ts';

const ALARMS =
  /^.*(uncaughtException|unhandledRejection|MaxListenersExceeded|heap out of memory|"code":"internal").*$/gim;
const OF_ONE_REQUEST = /"(time|reqId)":"[^"]*",/g;
/** Published for SIGTERM. */
const EXIT_MS_MAX = 25_000;
const READY_MS_MAX = 60_000;
const ALARM_LENGTH_MAX = 2000;

export interface ReplicaOptions {
  readonly number: number;
  readonly topology: RedisTopology;
  readonly links: Links;
  readonly prefix: string;
  /** How wrong its clock is. */
  readonly clockMs: number;
  readonly variables: Readonly<Record<string, string>>;
}

export class Replica {
  readonly number: number;
  readonly url: string;
  readonly links: Links;
  readonly #variables: Readonly<Record<string, string>>;
  /** Each with how often it was seen. */
  readonly #alarms = new Map<string, number>();
  #service: SpawnedService | undefined;
  #baseline: Used | undefined;
  #inspectorUrl: string | undefined;
  #atEnd: Used | undefined;
  readonly #toldToEnd = new WeakSet<SpawnedService>();

  private constructor(options: ReplicaOptions, port: number) {
    const { number, topology, links, prefix, clockMs, variables } = options;
    this.number = number;
    this.links = links;
    this.url = `http://127.0.0.1:${port}`;
    this.#variables = {
      PORT: String(port),
      REDIS_KEY_PREFIX: prefix,
      VERTEX_AI_EMULATOR_HOST: links.model.address,
      DEFAULT_MODEL: MODEL,
      LOG_LEVEL: 'warn',
      ...inspected(clockMs === 0 ? {} : withClock(clockMs)),
      ...topology.environment(links.via),
      ...variables,
    };
  }

  static async start(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options, await freePort());
    await replica.start();
    return replica;
  }

  /** Resolves when it listens; it may not be ready, when its Redis is not. */
  async start(): Promise<void> {
    this.#service = await spawnService(this.#variables, { awaitReady: false, onOutput: (text) => this.#read(text) });
    void this.#watch(this.#service);
  }

  async kill(): Promise<void> {
    const service = this.#service;
    if (!service) return;
    this.#toldToEnd.add(service);
    await service.process.end('SIGKILL');
    await service[Symbol.asyncDispose]();
    this.#service = undefined;
  }

  freeze(): void {
    this.#service?.process.signal('SIGSTOP');
  }

  thaw(): void {
    this.#service?.process.signal('SIGCONT');
  }

  /** Ends it as an orchestrator does, and notes when it does not end well or in time. */
  async drain(): Promise<void> {
    const service = this.#service;
    if (!service) return;
    this.#toldToEnd.add(service);
    service.process.signal('SIGTERM');
    const hasExited = () => service.process.hasExited;
    await until('it has ended', hasExited, { deadlineMs: EXIT_MS_MAX }).catch(() => {
      this.#alarm(`SIGTERM did not end it within ${EXIT_MS_MAX} ms`);
    });
    const { exitCode, output } = service.process;
    if (hasExited() && exitCode !== 0) this.#alarm(`SIGTERM ended it with ${exitCode}: ${output.slice(-500)}`);
    await this.kill();
  }

  async isReady(): Promise<void> {
    await until(`replica ${this.number} is ready`, async () => (await statusOf(`${this.url}/readyz`)) === 200, {
      deadlineMs: READY_MS_MAX,
      everyMs: 100,
    });
  }

  /** What it uses when it has nothing to do: to be compared with what it uses at the end. */
  async measureBaseline(): Promise<void> {
    this.#baseline = await this.#use();
  }

  async measureEnd(): Promise<void> {
    this.#atEnd = await this.#use();
  }

  get openFiles(): { readonly now: number; readonly baseline: number } | undefined {
    const now = this.#resources();
    return now && this.#baseline && { now: now.fds, baseline: this.#baseline.fds };
  }

  fact(): ProcessFact {
    const atEnd = this.#atEnd;
    return {
      replica: this.number,
      alarms: [...this.#alarms].map(([text, times]) => (times === 1 ? text : `${times} times: ${text}`)),
      ...(this.#baseline ? { baseline: this.#baseline } : {}),
      ...(atEnd ? { atEnd } : {}),
    };
  }

  async #use(): Promise<Used | undefined> {
    const resources = this.#resources();
    return resources && this.#inspectorUrl ? { ...resources, liveMiB: await liveMiB(this.#inspectorUrl) } : undefined;
  }

  #resources(): Resources | undefined {
    const pid = this.#service?.process.pid;
    return pid === undefined ? undefined : resourcesOf(pid);
  }

  #alarm(text: string): void {
    this.#alarms.set(text, (this.#alarms.get(text) ?? 0) + 1);
  }

  #read(text: string): void {
    this.#inspectorUrl = inspectorIn(text) ?? this.#inspectorUrl;
    for (const [line] of text.matchAll(ALARMS)) {
      this.#alarm(`its log says: ${line.replaceAll(OF_ONE_REQUEST, '').slice(0, ALARM_LENGTH_MAX)}`);
    }
  }

  async #watch(service: SpawnedService): Promise<void> {
    while (!service.process.hasExited) {
      await until('it has ended', () => service.process.hasExited, { everyMs: 200 }).catch(() => undefined);
    }
    if (this.#toldToEnd.has(service)) return;
    const { exitCode, output } = service.process;
    this.#alarm(`it ended by itself with ${exitCode}: ${output.slice(-ALARM_LENGTH_MAX)}`);
  }
}

/** What it holds is asked through its inspector. */
function inspected(variables: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { ...variables, NODE_OPTIONS: `${variables.NODE_OPTIONS ?? ''} ${INSPECTED}`.trim() };
}
