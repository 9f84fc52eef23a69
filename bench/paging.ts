// Whether a page costs what it holds: pages of long lists beside the same pages of short ones, in the same run, on a Redis of
// its own. npm run paging -- [messages] [sessions] [turns]
//
// Everything shares one machine, so only the ratios mean something: near 1, however long the lists are.

import { pageOfMessages } from '../src/chat/message-page.ts';
import { encodeConfig, encodeMessage, encodeTurn } from '../src/chat/records.ts';
import type { MessageOrder, Page, SessionKey } from '../src/chat/session.ts';
import { startedTurn, type Turn } from '../src/chat/turn.ts';
import { pageOfTurns } from '../src/chat/turn-page.ts';
import { aFailure, aKey, aSession, begin } from '../test/store/builders.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { configOf, openRedisStore, uniquePrefix } from '../test/support/redis-stores.ts';

const [MESSAGES = 5000, SESSIONS = 100_000, TURNS = 1000] = process.argv.slice(2).map(Number);
const PAGE_SIZE = 50;
const ROUNDS = 400;
const WARM_UP_ROUNDS = 40;
/** Sessions that are made at the same time. */
const AT_ONCE = 200;
/** How many items one read passes on the way to the middle or to the end. */
const STRIDE = 1000;

interface List {
  readonly name: string;
  readonly length: number;
  readonly page: (pageSize: number, pageToken: string | undefined) => Promise<Page<unknown>>;
}

const redis = await RedisServer.start({ args: ['--appendonly', 'no'] });
const store = await openRedisStore(configOf(redis.url, uniquePrefix(), 30_000));
const config = encodeConfig({ model: 'm', context: 'You are terse.' });
const createTime = new Date().toISOString();

async function messageLists(length: number): Promise<readonly List[]> {
  const key = aKey();
  const messages = Array.from({ length }, (_, i) => {
    const author = i % 2 === 0 ? 'user' : 'bot';
    return encodeMessage({ id: `m${i}`, author, content: '', parts: [{ text: 'word '.repeat(60) }], createTime });
  });
  await store.create(key, aSession({ config, messages }));
  const inOrder = (order: MessageOrder): List => ({
    name: order === 'asc' ? 'messages, oldest first' : 'messages, newest first',
    length,
    page: (pageSize, token) => pageOfMessages(store, key, { pageSize, order, ...from(token) }),
  });
  return [inOrder('asc'), inOrder('desc')];
}

async function sessionList(length: number): Promise<List> {
  const { owner } = aKey();
  for (let made = 0; made < length; made += AT_ONCE) {
    const keys = Array.from({ length: Math.min(AT_ONCE, length - made) }, () => aKey(owner));
    await Promise.all(keys.map((key) => store.create(key, aSession({ config }))));
  }
  return { name: 'sessions', length, page: (pageSize, token) => store.list(owner, pageSize, token) };
}

async function turnList(length: number): Promise<List> {
  const key = aKey();
  await store.create(key, aSession({ config }));
  for (let i = 0; i < length; i += 1) {
    const turn = await begin(store, key);
    await store.finish(key, aFailure(turn, { record: encodeTurn(endedTurn(key, turn.turnId)) }));
  }
  const hasEnded = () => Promise.reject(new Error('Every turn has ended, and is in its page.'));
  return {
    name: 'turns',
    length,
    page: (pageSize, token) => pageOfTurns(store, key, { pageSize, ...from(token) }, hasEnded),
  };
}

function endedTurn({ sessionId }: SessionKey, turnId: string): Turn {
  const sent = { messages: 1, omittedMessages: 0 };
  const turn = startedTurn({ sessionId, turnId, model: 'm', createTime, sent });
  const { text, isBlocked, errors, safetyAttributes, groundingMetadata } = turn;
  const response = { text, isBlocked, errors, safetyAttributes, groundingMetadata };
  const candidate = { index: 0, parts: [{ text: 'word '.repeat(100) }], finishReason: 'STOP', citations: [] };
  return { ...turn, state: 'COMMITTED', candidates: [{ ...response, ...candidate }], endTime: createTime };
}

function from(pageToken: string | undefined) {
  return pageToken === undefined ? {} : { pageToken };
}

/** The token of the page that begins there. */
async function tokenAt({ name, page }: List, position: number): Promise<string | undefined> {
  let token: string | undefined;
  for (let passed = 0; passed < position; ) {
    const { items, nextPageToken } = await page(Math.min(STRIDE, position - passed), token);
    if (nextPageToken === undefined) throw new Error(`there is no page at ${position} of the ${name}`);
    token = nextPageToken;
    passed += items.length;
  }
  return token;
}

async function timeOf(list: List, token: string | undefined): Promise<number> {
  const began = performance.now();
  const { items } = await list.page(PAGE_SIZE, token);
  const ms = performance.now() - began;
  if (items.length !== PAGE_SIZE) throw new Error(`a page of the ${list.name} has ${items.length} items`);
  return ms;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const SPOTS = {
  first: () => 0,
  middle: ({ length }: List) => Math.floor((length - PAGE_SIZE) / 2),
  last: ({ length }: List) => length - PAGE_SIZE,
} as const;

/** The two in turns, so that whatever else the machine does slows both. */
async function compare(short: List, long: List): Promise<void> {
  for (const [spot, positionIn] of Object.entries(SPOTS)) {
    const [shortToken, longToken] = [await tokenAt(short, positionIn(short)), await tokenAt(long, positionIn(long))];
    const times: { readonly short: number; readonly long: number }[] = [];
    for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
      times.push({ short: await timeOf(short, shortToken), long: await timeOf(long, longToken) });
    }
    const measured = times.slice(WARM_UP_ROUNDS);
    const [shortMs, longMs] = [median(measured.map((one) => one.short)), median(measured.map((one) => one.long))];
    const figures = [shortMs.toFixed(2), longMs.toFixed(2), (longMs / shortMs).toFixed(2)];
    const name = `${long.name}, ${spot} page`.padEnd(38);
    process.stdout.write(
      `${name}${String(long.length).padStart(8)}${figures.map((one) => one.padStart(10)).join('')}\n`,
    );
  }
}

async function lists(messages: number, sessions: number, turns: number): Promise<readonly List[]> {
  return [...(await messageLists(messages)), await sessionList(sessions), await turnList(turns)];
}

try {
  const [short, long] = [await lists(100, 100, 60), await lists(MESSAGES, SESSIONS, TURNS)];
  process.stdout.write(`pages of ${PAGE_SIZE}, median of ${ROUNDS}\n`);
  process.stdout.write(`${''.padEnd(38)}  length short, ms  long, ms     ratio\n`);
  for (const [index, one] of short.entries()) await compare(one, long[index] ?? one);
} finally {
  await store.close();
  await redis.stop();
}
