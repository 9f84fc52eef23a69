// Many streams at once on one process, of which some are never read and some hang up again and again: nobody misses an
// event, the readers do not notice, and those who never read cost what a socket costs, and are cut.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../chaos/random.ts';
import { liveMiB } from '../test/support/live-memory.ts';
import { type BareConnection, unreadGet, unreadStream } from '../test/support/sse.ts';
import { until } from '../test/support/until.ts';
import { type Report, type Spread, spread } from './report.ts';
import { inTurns, type Replica, redisClients, settled, startStage, usageOf, watchesLeft } from './stage.ts';
import { complaintsAbout } from './stream-check.ts';
import { type ReadFrame, readStream } from './stream-reader.ts';

const STUCK_SHARE = 0.1;
const HANGING_UP_SHARE = 0.1;
/** 20 s of two events a second. */
const QUESTION = '[chunks:40] [every:500] [bytes:1000]';
const ANSWER_BYTES = 40_000;
const LONG_CHUNKS = 192;
const LONG_CHUNK_BYTES = 65_536;
/** What stuck clients are told: three times what the system's buffers of a connection take (4 MiB); the rest is the service's to hold back. */
const LONG_QUESTION = `[chunks:${LONG_CHUNKS}] [every:60] [bytes:${LONG_CHUNK_BYTES}]`;
const STUCK_PER_LONG_TURN = 25;
const STALL_MS = 5000;
/** Turns cost most where they begin and end: not all at once. */
const START_WINDOW_MS = 8000;
const FRAMES_PER_CONNECTION_MAX = 5;

/** The published target, for a stream with Redis behind it. */
const STREAM_KIB = 150;
/** One write beyond the socket's own buffer of 64 KiB, and what Node keeps for a connection. */
const STUCK_KIB = 256;
/** An answer is kept as frames, as text, and on its way to the store. */
const COPIES_OF_AN_ANSWER = 3;
/** At its end it is part of a message and, three times, of its turn's record; all of that as text and as bytes. */
const COPIES_AT_THE_END = 12;
/** A second round finds a heap that is in pieces. */
const SECOND_ROUND_FACTOR = 1.5;
/** V8 lets garbage grow to about as much as is alive. */
const GARBAGE_FACTOR = 2;
/** … and does not look before there are some tens of MiB. */
const GARBAGE_MIB = 64;
/** Code that was compiled meanwhile, and caches. */
const LIVE_MIB = 8;
/**
 * Of what the peak took beyond the baseline: what V8 and malloc may keep of it for the next one. It was seen to be from a
 * sixth to a half, with the same 31 MiB alive; a leak shows there.
 */
const KEPT_SHARE = 2 / 3;

export interface StreamsOptions {
  readonly streams: number;
  readonly random: Random;
  readonly report: Report;
}

interface Asked {
  readonly path: string;
  readonly lags: number[];
  readonly connections: number;
  readonly frames: readonly ReadFrame[];
}

export async function soakStreams({ streams, random, report }: StreamsOptions): Promise<void> {
  await using stage = await startStage(1, {
    CLIENT_STALL_TIMEOUT_MS: String(STALL_MS),
    UPSTREAM_CONNECTIONS_MAX: String(2 * streams),
  });
  const [replica] = stage.replicas;
  await read(replica, 20, '[chunks:3] [every:50]', random.named('warm'));
  const before = {
    ...(await settled(replica)),
    liveMiB: await liveMiB(replica.inspectorUrl),
    clients: await redisClients(stage),
  };
  report.figure('streams: open files, memory before', `${before.fds}, ${before.rssMiB} MiB`);

  const stuckCount = Math.round(streams * STUCK_SHARE);
  const load = { streams, stuckCount, longTurns: Math.ceil(stuckCount / STUCK_PER_LONG_TURN) };
  const calm = await allRead(replica, load, random, report);
  report.atMost('streams: memory at its peak when all read', calm.peakMiB, memoryBound(before.rssMiB, load), 'MiB');
  const { stuck, peakMiB } = await someStuck(replica, load, calm.lag, random, report);
  // Were kept for each of them what they do not take, it would be 8 MiB for each more.
  const stuckBound = Math.round(SECOND_ROUND_FACTOR * calm.peakMiB + (GARBAGE_FACTOR * stuckCount * STUCK_KIB) / 1024);
  report.atMost('streams: memory at its peak with stuck clients', peakMiB, stuckBound, 'MiB');

  // The stuck clients hold their ends open all the time: it is the service that closes.
  report.atMost('streams: open files after, stuck clients cut', (await settled(replica)).fds, before.fds, 'files');
  await judgeStuck(replica, stuck, report);
  report.figure('streams: never read, and cut', stuck.connections.length);
  const liveBound = Math.round(before.liveMiB * 1.05 + LIVE_MIB);
  report.atMost(
    `streams: alive after, before ${before.liveMiB}`,
    await liveMiB(replica.inspectorUrl),
    liveBound,
    'MiB',
  );
  const rssBound = Math.round(before.rssMiB + KEPT_SHARE * (peakMiB - before.rssMiB));
  report.atMost('streams: memory after', usageOf(replica).rssMiB, rssBound, 'MiB');
  report.expectNone('no session is watched any more', await watchesLeft(stage));
  const clients = await redisClients(stage);
  report.expect('Redis has as many clients as before', clients === before.clients, `${clients}, not ${before.clients}`);
  report.expectNone('the log has no warnings', stage.alarms);
}

/** With the long answers, too: what differs in the second round is that nobody reads them. */
async function allRead(
  replica: Replica,
  { streams, longTurns }: Load,
  random: Random,
  report: Report,
): Promise<{ readonly lag: Spread; readonly peakMiB: number }> {
  report.say(`${streams} streams that are all read`);
  const { result, peakMiB } = await peakDuring(replica, () =>
    Promise.all([
      read(replica, streams - longTurns, QUESTION, random.named('calm')),
      read(replica, longTurns, LONG_QUESTION, random.named('calm and long')),
    ]),
  );
  const lag = spread(result[0].flatMap(({ lags }) => lags));
  report.figure('streams: lag when all read', lag.text);
  await judge(replica, result.flat(), 'all who read', report);
  return { lag, peakMiB };
}

async function someStuck(replica: Replica, load: Load, reference: Spread, random: Random, report: Report) {
  const { streams, stuckCount, longTurns } = load;
  const hangingUp = Math.round(streams * HANGING_UP_SHARE);
  report.say(`${streams} streams, of which ${stuckCount} are never read and ${hangingUp} hang up again and again`);
  const { result, peakMiB } = await peakDuring(replica, () =>
    Promise.all([
      openStuck(replica, stuckCount, longTurns),
      read(replica, streams - stuckCount - hangingUp, QUESTION, random.named('readers')),
      read(replica, hangingUp, QUESTION, random.named('hanging up'), true),
    ]),
  );
  const [stuck, readers, returning] = result;
  const lag = spread(readers.flatMap(({ lags }) => lags));
  report.figure('streams: lag beside those who do not read', lag.text);
  report.expect('those who do not read slow nobody down', lag.p50 <= 2 * reference.p50 + 50, `${lag.p50} ms`);
  report.expect('… not even the slowest', lag.p99 <= 3 * reference.p99 + 250, `${lag.p99} ms`);
  const resumes = returning.reduce((sum, { connections }) => sum + connections - 1, 0);
  report.figure('streams: hung up and resumed', `${hangingUp} clients, ${resumes} times`);
  await judge(replica, readers, 'readers', report);
  await judge(replica, returning, 'those who hang up', report);
  return { stuck, peakMiB };
}

interface Load {
  readonly streams: number;
  readonly stuckCount: number;
  readonly longTurns: number;
}

function memoryBound(baselineMiB: number, { streams, longTurns }: Load): number {
  const streamsKiB = streams * (STREAM_KIB + (COPIES_OF_AN_ANSWER * ANSWER_BYTES) / 1024);
  const longKiB = (longTurns * COPIES_AT_THE_END * LONG_CHUNKS * LONG_CHUNK_BYTES) / 1024;
  return Math.round(baselineMiB + GARBAGE_MIB + (GARBAGE_FACTOR * streamsKiB + longKiB) / 1024);
}

/** So many turns, each of a new session, read to their ends. */
async function read(
  replica: Replica,
  count: number,
  question: string,
  random: Random,
  isHangingUp = false,
): Promise<Asked[]> {
  const { client } = replica;
  const paths = await inTurns(Array.from({ length: count }), 20, () => client.session());
  return Promise.all(
    paths.map(async (path, index) => {
      const own = random.named(String(index));
      await delay(own.whole(0, START_WINDOW_MS));
      return readTurn(`${client.url}${path}`, question, isHangingUp ? own : undefined).then((asked) => ({
        path,
        ...asked,
      }));
    }),
  );
}

/** With `random` it hangs up after some frames, again and again, and goes on after the last one that it has seen. */
async function readTurn(url: string, question: string, random?: Random): Promise<Omit<Asked, 'path'>> {
  const lags: number[] = [];
  const onFrame = ({ data }: ReadFrame) => {
    const [, saidAt] = /"text":"@(\d+\.?\d*) /.exec(data) ?? [];
    if (saidAt !== undefined) lags.push(performance.timeOrigin + performance.now() - Number(saidAt));
  };
  const leaving = () =>
    random ? { leaving: { kind: 'afterFrames' as const, frames: random.whole(1, FRAMES_PER_CONNECTION_MAX) } } : {};
  const body = { message: question, turnId: 'it' };
  let reading = await readStream(`${url}/messages/stream`, { method: 'POST', body, onFrame, ...leaving() });
  const frames = [...reading.frames];
  let connections = 1;
  while (reading.end === 'left') {
    const after = frames.at(-1)?.id ?? '';
    reading = await readStream(`${url}/turns/it/events`, { method: 'GET', after, ...leaving() });
    frames.push(...reading.frames);
    connections += 1;
  }
  return { lags, connections, frames };
}

interface Stuck {
  readonly paths: readonly string[];
  readonly connections: readonly BareConnection[];
}

/** Some start a long turn, the others watch it; nobody reads a byte. */
async function openStuck({ client }: Replica, count: number, longTurns: number): Promise<Stuck> {
  const paths = await Promise.all(Array.from({ length: longTurns }, () => client.session()));
  const starters = paths.map((path) => unreadStream(client.url, path, { message: LONG_QUESTION, turnId: 'it' }));
  for (const path of paths) {
    await until('the long turn runs', async () => (await client.get(`${path}/turns/it`)).status === 200);
  }
  const viewers = Array.from({ length: count - longTurns }, (_, index) => {
    return unreadGet(client.url, `${paths[index % longTurns]}/turns/it/events`);
  });
  return { paths, connections: [...starters, ...viewers] };
}

async function peakDuring<T>(replica: Replica, task: () => Promise<T>): Promise<{ result: T; peakMiB: number }> {
  let peakMiB = 0;
  const look = setInterval(() => {
    peakMiB = Math.max(peakMiB, usageOf(replica).rssMiB);
  }, 200);
  try {
    return { result: await task(), peakMiB };
  } finally {
    clearInterval(look);
  }
}

async function storedAnswer({ client }: Replica, path: string): Promise<string | undefined> {
  return (await client.history(path)).at(-1)?.[1];
}

async function judge(replica: Replica, asked: readonly Asked[], who: string, report: Report): Promise<void> {
  const complaints = await inTurns(asked, 20, async ({ path, frames }) => {
    return complaintsAbout(frames, await storedAnswer(replica, path)).map((complaint) => `${path}: ${complaint}`);
  });
  report.expectNone(`every event once, in order, and as it is stored, for ${who}`, complaints.flat());
}

/** What they find when they begin to read, and that they can come back. */
async function judgeStuck(replica: Replica, { connections, paths }: Stuck, report: Report): Promise<void> {
  for (const connection of connections) connection.resume();
  await Promise.all(connections.map((connection) => connection.ended()));
  const whole = connections.filter(({ text }) => text.includes('event: turn.committed')).length;
  report.expect('no stuck client was told the end', whole === 0, whole);
  for (const connection of connections) connection.hangUp();
  const complaints = await inTurns(paths, 1, async (path) => {
    const { frames } = await readStream(`${replica.client.url}${path}/turns/it/events`, { method: 'GET' });
    return complaintsAbout(frames, await storedAnswer(replica, path));
  });
  report.expectNone('a stuck client that comes back gets everything', complaints.flat());
}
