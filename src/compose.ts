// Where the parts meet: with its folder, the only place that names concrete adapters.

import type { FastifyBaseLogger } from 'fastify';
import { GeminiModel } from './adapters/gemini/gemini-model.ts';
import { MemoryQuotas } from './adapters/memory/memory-quotas.ts';
import { MemorySessionStore } from './adapters/memory/memory-session-store.ts';
import { PredictModel } from './adapters/predict/predict-model.ts';
import { speaksPredict } from './adapters/predict/predict-models.ts';
import { RedisSessionStore } from './adapters/redis/redis-session-store.ts';
import { Upstream } from './adapters/upstream/upstream.ts';
import type { ChatLimits } from './chat/chat-dependencies.ts';
import { ChatSessions } from './chat/chat-sessions.ts';
import type { Clock } from './chat/clock.ts';
import { FlushSchedule } from './chat/flusher.ts';
import { FollowedTurns } from './chat/followed-turns.ts';
import { KnownSessions } from './chat/known-sessions.ts';
import type { LanguageModel } from './chat/language-model.ts';
import { LenientQuotas } from './chat/lenient-quotas.ts';
import { type PlaceRules, Places } from './chat/places.ts';
import { type Quotas, RATE_WINDOW } from './chat/quotas.ts';
import { reapTurn } from './chat/reap-turn.ts';
import { RoutedModel } from './chat/routed-model.ts';
import { RunningTurns } from './chat/running-turns.ts';
import type { SessionStore } from './chat/session-store.ts';
import { WaitingTurns } from './chat/waiting-turns.ts';
import { openIdentity } from './compose/identity.ts';
import { newId } from './compose/ids.ts';
import { loadLimits } from './compose/load-limits.ts';
import { openPermissions } from './compose/permissions.ts';
import { openSealed } from './compose/sealed-sessions.ts';
import type { Config } from './config.ts';
import { type Emulator, startEmulator } from './emulator/server.ts';
import { buildApp } from './http/app.ts';
import type { Edge } from './http/edge.ts';
import { logTurn } from './http/logging.ts';
import { turnProblem } from './http/problems.ts';
import { StreamPlaces } from './http/stream-places.ts';
import { addressRange } from './identity/address-range.ts';
import { reporter } from './reporter.ts';

export interface Service {
  readonly app: Edge;
  /** Drains, then closes everything that was opened. */
  close(): Promise<void>;
}

const clock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/** Nobody writes to a session for so long: its next turn reads it again. */
const KNOWN_IDLE_MS = 600_000;

export async function compose(config: Config, logger: FastifyBaseLogger): Promise<Service> {
  const { env, limits } = config;
  const { store: kept, quotas: counting } = openStore(config, logger);
  const sealed = openSealed(kept, config, logger);
  const { store } = sealed;
  const gateways = addressRange(config.trustedProxies);
  const identity = openIdentity(config, gateways, logger);
  const { model, emulator } = await openModel(config);
  const paths = { basePath: config.basePath };
  const known = new KnownSessions(clock, { bytesMax: env.KNOWN_SESSIONS_BYTES, idleMs: KNOWN_IDLE_MS });
  const turnDependencies = {
    store,
    model,
    known,
    clock,
    newId,
    schedule: new FlushSchedule(clock, {
      flushMs: env.LOG_FLUSH_MS,
      quietFlushMs: env.LOG_FLUSH_QUIET_MS,
      flushLength: env.LOG_FLUSH_BYTES,
    }),
    describe: turnProblem(paths),
    limits: {
      turnTimeoutMs: env.TURN_TIMEOUT_MS,
      answerSizeMax: env.ANSWER_SIZE_MAX,
      finishBudgetMs: env.FINISH_BUDGET_MS,
    },
    observe: logTurn(logger),
  };
  const running = new RunningTurns(turnDependencies, { leaseMs: env.LEASE_MS });
  store.onCancel(({ key, epoch, keep }) => running.cancel(key, epoch, keep));
  const waiting = new WaitingTurns();
  const followed = new FollowedTurns({
    store,
    clock,
    rules: { followMs: env.HEARTBEAT_MS },
    reap: (key, mark) => reapTurn(key, mark, turnDependencies),
  });
  const { permissions, stopWatching } = openPermissions(config, logger);
  const { defaultModel } = config;
  const quotas = new LenientQuotas(counting, clock, reporter(logger, 'limits are not looked at'));
  const placesOf = (kind: PlaceRules['kind'], placesMax: number) =>
    new Places({ kind, placesMax, leaseMs: env.LEASE_MS }, { quotas, clock, newId });
  const app = await buildApp({
    logger,
    sessions: new ChatSessions(
      {
        ...turnDependencies,
        running,
        waiting,
        followed,
        chatLimits: chatLimits(config),
        turnPlaces: placesOf('turns', limits.turnsPerOwnerMax),
        permissions,
        isOverloaded: () => app.isOverloaded(),
      },
      defaultModel === undefined ? {} : { defaultModel },
    ),
    paths,
    bodyLimits: { contentBytes: env.BODY_LIMIT_BYTES, smallBytes: env.SMALL_BODY_LIMIT_BYTES },
    sse: {
      heartbeatMs: env.HEARTBEAT_MS,
      stallMs: env.CLIENT_STALL_TIMEOUT_MS,
      identityRecheckMs: env.IDENTITY_RECHECK_MS,
    },
    streams: new StreamPlaces(placesOf('streams', limits.streamsPerOwnerMax), limits.streamsMax),
    rates: { quotas, ...limits },
    load: loadLimits(env),
    streamHeadersDelayMs: env.STREAM_HEADERS_DELAY_MS,
    identity,
    browsers: {
      origins: config.origins,
      takesCookies: config.identity.kind === 'gateway',
      isPrivate: env.AUTH === undefined,
    },
    health: { isReady: () => store.isReady(), isDraining: () => running.isDraining },
    server: {
      headersTimeoutMs: env.HEADERS_TIMEOUT_MS,
      requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
      jsonDepthMax: env.JSON_DEPTH_MAX,
      jsonValuesMax: env.JSON_VALUES_MAX,
      urlLengthMax: env.URL_LENGTH_MAX,
      isGateway: gateways.includes,
      connectionsMax: limits.connectionsMax,
    },
    drain() {
      waiting.drain();
      // Whoever watches a turn of another replica can go on there at once.
      followed.close();
      return running.drain(env.DRAIN_MS);
    },
  });
  return {
    app,
    async close() {
      await app.close();
      stopWatching();
      known.clear();
      await model.close();
      await emulator?.close();
      identity.close();
      await store.close();
      sealed.close();
    },
  };
}

function chatLimits({ env, limits }: Config): ChatLimits {
  return {
    configBytesMax: env.SESSION_CONFIG_BYTES_MAX,
    historyMessagesMax: env.HISTORY_MESSAGES_MAX,
    historyBytesMax: env.HISTORY_BYTES_MAX,
    sessionTtlS: env.SESSION_TTL_S,
    leaseMs: env.LEASE_MS,
    queueTurnsMax: env.QUEUE_TURNS_MAX,
    sessionsPerOwnerMax: limits.sessionsPerOwnerMax,
  };
}

function openStore({ env, redis }: Config, logger: FastifyBaseLogger): { store: SessionStore; quotas: Quotas } {
  const ledger = { ledgerTurnsMax: env.LEDGER_TURNS_MAX, ledgerBytesMax: env.LEDGER_BYTES_MAX };
  if (!redis) {
    const store = new MemorySessionStore(clock, { ...ledger, sessionsMax: env.MEMORY_SESSIONS_MAX });
    return { store, quotas: new MemoryQuotas(clock, RATE_WINDOW) };
  }
  const log = { logTtlMs: env.LOG_TTL_MS, runningLogTtlMs: env.LOG_TTL_MS + env.TURN_TIMEOUT_MS };
  const rules = { ...ledger, ...log, usageTtlMs: env.USAGE_TTL_S * 1000, rateWindow: RATE_WINDOW };
  const store = new RedisSessionStore(redis, rules, reporter(logger, 'redis connection'));
  return { store, quotas: store.quotas };
}

async function openModel({
  env,
  backend,
  predictModels,
}: Config): Promise<{ model: LanguageModel; emulator?: Emulator }> {
  const rules = {
    connectTimeoutMs: env.UPSTREAM_CONNECT_TIMEOUT_MS,
    firstEventTimeoutMs: env.UPSTREAM_FIRST_EVENT_TIMEOUT_MS,
    idleTimeoutMs: env.UPSTREAM_IDLE_TIMEOUT_MS,
    retriesMax: env.UPSTREAM_RETRIES_MAX,
    retryWaitMaxMs: env.UPSTREAM_RETRY_WAIT_MAX_MS,
    connectionsMax: env.UPSTREAM_CONNECTIONS_MAX,
    // JSON escapes can make a body several times as long as its text.
    bodyBytesMax: 4 * env.ANSWER_SIZE_MAX,
    eventSizeMax: env.UPSTREAM_EVENT_SIZE_MAX,
  };
  if (backend.kind !== 'built-in') return { model: modelAt(new Upstream(backend, rules, Math.random), predictModels) };
  const emulator = await startEmulator();
  const address = { kind: 'emulator', address: emulator.address, project: 'emulator', location: 'global' } as const;
  return { model: modelAt(new Upstream(address, rules, Math.random), predictModels), emulator };
}

/** Both wires over the same connections. */
function modelAt(upstream: Upstream, listed: readonly string[]): LanguageModel {
  const gemini = new GeminiModel(upstream);
  const predict = new PredictModel(upstream);
  return new RoutedModel(
    (model) => (speaksPredict(model, listed) ? predict : gemini),
    () => upstream.close(),
  );
}
