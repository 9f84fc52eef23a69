// Thousands of clients that hang up at any moment, on the replica that produces and on the one where its turns are
// watched. Nothing of them stays: no open file, no memory, no watch, no turn that still runs, no session that is lost.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../chaos/random.ts';
import { liveMiB } from '../test/support/live-memory.ts';
import { until } from '../test/support/until.ts';
import type { Report } from './report.ts';
import { inTurns, redisClients, type Stage, settled, startStage, watchesLeft } from './stage.ts';
import { type Leaving, type Reading, readStream } from './stream-reader.ts';

/** Headers come with the first of them, after 20 ms; the whole turn takes 160. */
const QUESTION = '[chunks:8] [every:20] [bytes:100]';
const HEADERS_MS = 25;
const TURN_FRAMES = 8;
const CLIENTS = 48;
/** Then the client goes on in a new session, so that histories stay small. */
const TURNS_PER_SESSION = 40;
/** What a leak is measured from: by then everything has been used, and compiled. */
const WARM_SHARE = 0.2;
const TURN_MS_MAX = 30_000;

/** Per 8,000 more aborts; a kilobyte for each would be seen. */
const LIVE_GROWTH = 1.05;
const LIVE_SLACK_MIB = 4;
/** What V8 and malloc keep of what was garbage differs from time to time. */
const RSS_GROWTH = 1.2;
const RSS_SLACK_MIB = 24;

export interface AbortsOptions {
  readonly aborts: number;
  readonly random: Random;
  readonly report: Report;
}

type Kind = 'continue' | 'cancel' | 'viewer' | 'follower';
const KINDS: Readonly<Record<Kind, number>> = { continue: 35, cancel: 35, viewer: 15, follower: 15 };

interface Ended {
  readonly path: string;
  readonly turnId: string;
  readonly kind: Kind;
  readonly left: Leaving['kind'];
  /** What the one who left was answered with; 0 when it left before that. */
  readonly status: number;
  /** `NONE`: the client left before there was a turn. */
  readonly state: string;
}

export async function soakAborts({ aborts, random, report }: AbortsOptions): Promise<void> {
  await using stage = await startStage(2, {});
  const warm = Math.round(aborts * WARM_SHARE);
  report.say(`${warm} streams that are left`);
  const first = await abortMany(stage, warm, random.named('warm'));
  const before = await measure(stage);
  const clients = await redisClients(stage);
  report.say(`${aborts - warm} more`);
  const startedAt = performance.now();
  const second = await abortMany(stage, aborts - warm, random.named('more'));
  const perSecond = Math.round((1000 * (aborts - warm)) / (performance.now() - startedAt));
  const after = await measure(stage);
  report.figure('aborts', `${aborts}, ${perSecond} a second`);
  for (const [index, name] of ['writer', 'watched elsewhere'].entries()) {
    const [was, is] = [before[index], after[index]];
    if (!was || !is) throw new Error('a replica is missing');
    report.atMost(`aborts: ${name}, open files after all`, is.fds, was.fds, 'files');
    const bound = Math.round(was.liveMiB * LIVE_GROWTH + LIVE_SLACK_MIB);
    report.atMost(`aborts: ${name}, alive after all, after ${warm} ${was.liveMiB}`, is.liveMiB, bound, 'MiB');
    const rssBound = Math.round(was.rssMiB * RSS_GROWTH + RSS_SLACK_MIB);
    report.atMost(`aborts: ${name}, memory after all, after ${warm} ${was.rssMiB}`, is.rssMiB, rssBound, 'MiB');
  }
  report.expectNone('no session is watched any more', await watchesLeft(stage));
  const clientsLeft = await redisClients(stage);
  report.expect('Redis has as many clients as before', clientsLeft === clients, `${clientsLeft}, not ${clients}`);
  await judge(stage, [...first, ...second], report);
  report.expectNone('the logs have no warnings', stage.alarms);
}

function measure({ replicas }: Stage) {
  return Promise.all(
    replicas.map(async (replica) => {
      await settled(replica);
      const alive = await liveMiB(replica.inspectorUrl);
      return { ...(await settled(replica)), liveMiB: alive };
    }),
  );
}

async function abortMany(stage: Stage, count: number, random: Random): Promise<readonly Ended[]> {
  const ended: Ended[] = [];
  let left = count;
  const client = async (name: string) => {
    const own = random.named(name);
    for (let turns = 0, path = ''; left > 0; turns += 1) {
      left -= 1;
      if (turns % TURNS_PER_SESSION === 0) path = await stage.replicas[0].client.session();
      ended.push(await abortOne(stage, path, `t${turns}`, own));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(String(index))));
  return ended;
}

/** One turn with one connection that is left. Resolves when the turn is over. */
async function abortOne(stage: Stage, path: string, turnId: string, random: Random): Promise<Ended> {
  const [writer] = stage.replicas;
  const kind = random.weighted(KINDS);
  const leaving = leavingOf(random);
  const url = `${writer.client.url}${path}/messages/stream`;
  const isSender = kind === 'continue' || kind === 'cancel';
  const body = { message: QUESTION, turnId, ...(isSender ? { onDisconnect: kind } : {}) };
  const sent = readStream(url, { method: 'POST', body, ...(isSender ? { leaving } : {}) });
  const { status } = isSender ? await sent : await watch(stage, kind, `${path}/turns/${turnId}`, leaving, random);
  // Otherwise it is read to its end by the one who sent it.
  await sent;
  return { path, turnId, kind, left: leaving.kind, status, state: await endOf(stage, path, turnId) };
}

/** On the other replica, at some moment of the turn, also before its beginning and after its end. */
async function watch(
  { replicas: [writer, other = writer] }: Stage,
  kind: 'viewer' | 'follower',
  turn: string,
  leaving: Leaving,
  random: Random,
): Promise<Reading> {
  await delay(random.whole(0, 8 * HEADERS_MS));
  const url = `${other.client.url}${turn}/events`;
  if (kind === 'viewer') return readStream(url, { method: 'GET', leaving });
  // Who follows a session in which nothing happens is told nothing, and leaves all the same.
  const patience = leaving.kind === 'afterFrames' ? { kind: 'afterMs' as const, ms: 4 * HEADERS_MS } : leaving;
  return readStream(url.replace(/\/turns\/.*$/, '/events'), { method: 'GET', leaving: patience });
}

function leavingOf(random: Random): Leaving {
  const kind = random.weighted({ afterMs: 30, atHeaders: 20, afterFrames: 50 });
  switch (kind) {
    case 'afterMs':
      return { kind, ms: random.whole(0, HEADERS_MS) };
    case 'afterFrames':
      return { kind, frames: random.whole(1, TURN_FRAMES) };
    case 'atHeaders':
      return { kind };
    default:
      return kind satisfies never;
  }
}

/** `NONE` after some asking; a request whose client has gone may begin its turn later still, which `judge` finds. */
async function endOf({ replicas: [{ client }] }: Stage, path: string, turnId: string): Promise<string> {
  let asked = 0;
  return await until(
    `${path}/turns/${turnId} is over`,
    async () => {
      const { status, json } = await client.get(`${path}/turns/${turnId}`);
      if (status === 200) return ['RUNNING', 'QUEUED'].includes(json.state) ? undefined : json.state;
      asked += 1;
      return asked > 3 ? 'NONE' : undefined;
    },
    { deadlineMs: TURN_MS_MAX, everyMs: 20 },
  );
}

/** What has become of every turn, and that every session takes the next one, on either replica. */
async function judge(stage: Stage, ended: readonly Ended[], report: Report): Promise<void> {
  const [{ client: here }, { client: there } = stage.replicas[0]] = stage.replicas;
  const watching = ended.filter(({ kind }) => kind === 'viewer' || kind === 'follower');
  const answered = watching.filter(({ status }) => status === 200).length;
  report.figure('aborts: watched elsewhere, streams that had begun', `${answered} of ${watching.length}`);
  const states = Map.groupBy(ended, ({ kind, state }) => `${kind} ${state}`);
  for (const [name, turns] of [...states].sort(([a], [b]) => a.localeCompare(b))) {
    report.figure(`aborts: ${name}`, turns.length);
  }
  const wrong = ended.filter(({ kind, state }) => {
    if (state === 'COMMITTED') return false;
    if (state === 'CANCELLED') return kind !== 'cancel';
    return state !== 'NONE' || kind === 'viewer' || kind === 'follower';
  });
  report.expectNone(
    'a turn whose client has left is committed, or cancelled when it asked for that',
    wrong.map(({ path, turnId, kind, left, state }) => `${path}/turns/${turnId} ${kind}, ${left}: ${state}`),
  );
  const complaints = await inTurns([...Map.groupBy(ended, ({ path }) => path)], 20, async ([path, turns]) => {
    // Those that were there only later, if any, too.
    const committed = await inTurns(
      turns,
      1,
      async ({ turnId }) => (await here.get(`${path}/turns/${turnId}`)).json.state,
    );
    const { json: session } = await there.get(path);
    const messages = 2 * committed.filter((state) => state === 'COMMITTED').length;
    const { terminal } = await there.stream(path, { message: '[chunks:1] [every:1]' }).done();
    return [
      ...(session.activeTurn === undefined ? [] : [`${path} has an active turn`]),
      ...(session.messageCount === messages ? [] : [`${path} has ${session.messageCount} messages, not ${messages}`]),
      ...(terminal?.event === 'turn.committed' ? [] : [`${path} takes no further turn: ${terminal?.event}`]),
    ];
  });
  report.expectNone('every session has what was committed, no running turn, and takes the next', complaints.flat());
}
