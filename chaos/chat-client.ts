// One client of a run: operation after operation, each drawn from the seed. It knows nothing of the faults.

import { setTimeout as delay } from 'node:timers/promises';
import type { Capabilities } from './capabilities.ts';
import type { Watched } from './frame-reader.ts';
import { TERMINAL_EVENTS } from './frames.ts';
import { asksFor, MODEL_FAULTS, paced } from './model.ts';
import type { Told } from './outcome.ts';
import type { Random } from './random.ts';
import type { ServiceApi } from './service-api.ts';
import type { Call, Question } from './service-call.ts';
import type { ChatSlot, SessionPool } from './session-pool.ts';

export interface ClientOptions {
  readonly name: string;
  readonly api: ServiceApi;
  readonly pool: SessionPool;
  readonly capabilities: Capabilities;
  /** A longer history is given up, so that reading it stays one page and a run stays small. */
  readonly messagesMax: number;
  readonly random: Random;
}

const THINK_MS_MAX = 250;
const MODEL_FAULT_RATE = 0.12;
/** Of the answers that come in pieces. */
const SLOW_RATE = 0.2;
const FOLLOW_MS = 25_000;
const FOLLOW_PAUSE_MS = 250;

export async function runClient(options: ClientOptions, stop: AbortSignal): Promise<void> {
  const [first, ...others] = options.pool.slots;
  if (!first) return;
  for (let n = 0; !stop.aborted; n += 1) {
    const random = options.random.named(`${n}`);
    await delay(random.whole(0, THINK_MS_MAX));
    const slot = random.pick([first, ...others]);
    const { sessionId } = slot;
    await slot.ready;
    // Replaced while it was waited for.
    if (slot.sessionId !== sessionId) continue;
    await operate({ ...options, random }, slot, `${options.name}-${n}`);
  }
}

async function operate(options: ClientOptions, slot: ChatSlot, id: string): Promise<void> {
  const { api, pool, random, name, capabilities } = options;
  if (slot.messages > options.messagesMax) return pool.replace(slot, name, random);
  const call = { client: name, sessionId: slot.sessionId, replica: random.whole(0, api.replicas - 1) };
  const turnId = slot.recentTurns[random.whole(0, Math.max(0, slot.recentTurns.length - 1))];
  const operation = random.weighted({
    send: 25,
    stream: 35,
    async: capabilities.respondAsync ? 6 : 0,
    history: 14,
    session: 6,
    turn: turnId === undefined ? 0 : 8,
    watch: capabilities.resume && turnId !== undefined ? 12 : 0,
    follow: capabilities.followSession ? 6 : 0,
    patch: 7,
    cancel: capabilities.cancel && turnId !== undefined ? 7 : 0,
    remove: 1,
  });
  switch (operation) {
    case 'send':
    case 'stream':
    case 'async':
      return ask(options, slot, call, id, operation);
    case 'history':
      slot.messages = (await api.history(call)) ?? slot.messages;
      return;
    case 'session':
      await api.session(call);
      return;
    case 'turn':
      await api.turn(call, turnId ?? '');
      return;
    case 'watch':
      return watch(options, call, turnId ?? '');
    case 'follow':
      return followSession(options, call);
    case 'patch':
      return api.patch(call, `name ${id}`);
    case 'cancel':
      return api.cancel(call, turnId ?? '', random.chance(0.3) ? 'partial' : 'none');
    case 'remove':
      return pool.replace(slot, name, random);
    default:
      operation satisfies never;
  }
}

type Way = 'send' | 'stream' | 'async';

async function ask(options: ClientOptions, slot: ChatSlot, call: Call, id: string, way: Way): Promise<void> {
  const { random, capabilities, pool } = options;
  const question = questionOf(options, id, way);
  const { turnId } = question.body as { readonly turnId?: string };
  if (turnId !== undefined) pool.noteTurn(slot, turnId);
  if (!capabilities.idempotency || !random.chance(0.25)) {
    await once(options, call, question, way);
    return;
  }
  const keyed = { ...question, key: `k-${id}` };
  const elsewhere = (): Call => ({ ...call, replica: random.whole(0, options.api.replicas - 1) });
  const again = elsewhere();
  const isTogether = random.chance(0.4);
  const [told] = isTogether
    ? await Promise.all([
        once(options, call, keyed, way),
        once({ ...options, random: random.named('again') }, again, keyed, way),
      ])
    : [await once(options, call, keyed, way), await once(options, again, keyed, way)];
  // Only a key that is known to be taken can be refused to another body.
  if (told?.turn && random.chance(0.2)) {
    const other = {
      token: `q-${id}-x`,
      question: `q-${id}-x`,
      body: { message: `q-${id}-x` },
      key: keyed.key,
      hasOtherBody: true,
    };
    await once(options, elsewhere(), other, way);
  }
}

function questionOf({ random, capabilities }: ClientOptions, id: string, way: Way): Question {
  const token = `q-${id}`;
  const paceMs = random.chance(SLOW_RATE) ? random.whole(200, 500) : random.whole(5, 150);
  const pace = random.chance(0.6) ? ` ${paced(paceMs)}` : '';
  const [first, ...others] = MODEL_FAULTS;
  const fault = random.chance(MODEL_FAULT_RATE) ? ` ${asksFor(random.pick([first, ...others]))}` : '';
  const question = `${token}${pace}${fault}`;
  const onBusy = random.weighted({
    reject: 6,
    enqueue: capabilities.enqueue ? 3 : 0,
    interrupt: capabilities.interrupt ? 1 : 0,
  });
  const body = {
    message: question,
    ...(random.chance(0.8) ? { turnId: `t-${id}` } : {}),
    ...(onBusy === 'reject' ? {} : { onBusy }),
    ...(way === 'stream' && random.chance(0.1) ? { onDisconnect: 'cancel' } : {}),
  };
  return { token, question, body };
}

async function once(options: ClientOptions, call: Call, question: Question, way: Way): Promise<Told> {
  if (way === 'stream') return stream(options, call, question);
  return options.api.send(call, question, way === 'send' ? 'unary' : 'async', (turnId) =>
    follow(options, call, turnId),
  );
}

/** Asks until the turn has ended. */
async function follow({ api, random }: ClientOptions, call: Call, turnId: string): Promise<Told> {
  const deadline = performance.now() + FOLLOW_MS;
  for (;;) {
    const told = await api.turn({ ...call, replica: random.whole(0, api.replicas - 1) }, turnId);
    if (told.turn && told.outcome !== 'info') return told;
    if (performance.now() > deadline) return { outcome: 'info', status: 0, turnId };
    await delay(FOLLOW_PAUSE_MS);
  }
}

/** Reads to the terminal event, over as many connections as that takes, some of which it ends itself. */
async function stream(options: ClientOptions, call: Call, question: Question): Promise<Told> {
  const begun = options.api.beginStream();
  const watched = [await options.api.open(call, question, leaving(options.random))];
  const turnId = watched[0]?.turnId ?? (question.body as { readonly turnId?: string }).turnId;
  if (turnId !== undefined) await goOn(options, call, turnId, watched, question);
  return options.api.endStream(begun, call, question, watched);
}

/** Another viewer, from the beginning. */
async function watch(options: ClientOptions, call: Call, turnId: string): Promise<void> {
  const begun = options.api.beginStream();
  const watched = [await options.api.resume(call, turnId, undefined, leaving(options.random))];
  await goOn(options, call, turnId, watched);
  options.api.endWatch(begun, call, turnId, watched);
}

/** A second tab: it stays for a while, on one replica after the other. */
async function followSession({ api, random }: ClientOptions, call: Call): Promise<void> {
  const begun = api.beginStream();
  const watched: Watched[] = [];
  for (let left = random.whole(1, 4); left > 0; left -= 1) {
    const [replica, leaveMs] = [random.whole(0, api.replicas - 1), random.whole(300, 3000)];
    const leaveAfter = leaving(random);
    watched.push(await api.followSession({ ...call, replica }, lastIdOf(watched), { leaveMs, leaveAfter }));
    if (watched.at(-1)?.segment.status === 404) break;
  }
  api.endFollow(begun, call, watched);
}

/** With an idempotency key, sending it again is another way to go on. */
async function goOn(
  options: ClientOptions,
  call: Call,
  turnId: string,
  watched: Watched[],
  question?: Question,
): Promise<void> {
  const { api, random, capabilities } = options;
  const deadline = performance.now() + FOLLOW_MS;
  while (capabilities.resume && isOpen(watched) && !api.late.aborted && performance.now() < deadline) {
    const replica = random.whole(0, api.replicas - 1);
    const [after, leaveAfter, sendsAgain] = [lastIdOf(watched), leaving(random), random.chance(0.4)];
    const elsewhere = { ...call, replica };
    const next =
      question?.key !== undefined && sendsAgain
        ? await api.open(elsewhere, question, leaveAfter, after)
        : await api.resume(elsewhere, turnId, after, leaveAfter);
    watched.push(next);
    if (next.segment.status !== 200 || next.segment.frames.length === 0) await delay(FOLLOW_PAUSE_MS);
  }
}

/** After how many events the client hangs up, if it does. */
function leaving(random: Random): number | undefined {
  return random.chance(0.4) ? random.whole(1, 6) : undefined;
}

/** 204, 400, 404 and 410 end it too: there is nothing more to come. */
function isOpen(watched: readonly Watched[]): boolean {
  const statuses = watched.map(({ segment }) => segment.status);
  const [first = 0] = statuses;
  if (first !== 200 && first !== 0) return false;
  if ([204, 400, 404, 410].includes(statuses.at(-1) ?? 0)) return false;
  return !watched.some(({ segment }) => segment.frames.some(({ event }) => TERMINAL_EVENTS.includes(event)));
}

function lastIdOf(watched: readonly Watched[]): string | undefined {
  return watched.flatMap(({ segment }) => segment.frames).at(-1)?.id;
}
