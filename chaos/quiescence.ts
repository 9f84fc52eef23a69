// The end of a round: everything is whole again, leases have run out, and every session is asked, on every replica, for what
// it has become.

import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../test/support/until.ts';
import type { Operation } from './evidence.ts';
import type { Replica } from './replica.ts';
import type { ServiceApi } from './service-api.ts';

const READ_TRIES = 20;
const READ_PAUSE_MS = 250;
/** A lease, the time in which a finish is tried, and some. */
const IDLE_MS_MAX = 45_000;
/** Sockets of clients that have gone, and of keep-alives, end in this time. */
const CLOSE_MS_MAX = 15_000;

export async function awaitIdle(api: ServiceApi, sessionIds: readonly string[]): Promise<void> {
  const idle = sessionIds.map(async (sessionId) => {
    const call = { client: 'finale', sessionId, replica: 0 };
    const isIdle = async () => {
      const { status, activeTurnId } = await api.session(call);
      return status !== 0 && status < 500 && activeTurnId === undefined;
    };
    // A session that never becomes idle shows in what follows.
    await until('no turn runs', isIdle, { deadlineMs: IDLE_MS_MAX, everyMs: READ_PAUSE_MS }).catch(() => undefined);
  });
  await Promise.all(idle);
}

/** Each session takes one more turn, on some replica: recorded, and expected to commit. */
export async function probe(api: ServiceApi, sessionIds: readonly string[], round: number): Promise<void> {
  for (const [index, sessionId] of sessionIds.entries()) {
    const name = `probe-${round}-${index}`;
    const token = `q-${name}`;
    const call = { client: 'finale', sessionId, replica: index % api.replicas };
    const question = { token, question: token, body: { message: token, turnId: `t-${name}` }, isProbe: true };
    await api.send(call, question, 'unary', (turnId) => api.turn(call, turnId));
  }
}

/** Histories from every replica, and every turn that anybody knows of, from one of them. */
export async function readAll(
  api: ServiceApi,
  operations: readonly Operation[],
  sessionIds: readonly string[],
): Promise<void> {
  const turnIds = turnsBySession(operations);
  for (const sessionId of sessionIds) {
    for (let replica = 0; replica < api.replicas; replica += 1) {
      const call = { client: 'finale', sessionId, replica };
      await again(async () => (await api.history(call, { isFinal: true })) !== undefined);
      await again(async () => (await api.session(call, { isFinal: true })).status === 200);
    }
    for (const [index, turnId] of [...(turnIds.get(sessionId) ?? [])].entries()) {
      const call = { client: 'finale', sessionId, replica: index % api.replicas };
      await again(async () => (await api.turn(call, turnId, { isFinal: true })).status !== 0);
    }
  }
}

async function again(task: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < READ_TRIES; tries += 1) {
    if (await task()) return;
    await delay(READ_PAUSE_MS);
  }
}

function turnsBySession(operations: readonly Operation[]): ReadonlyMap<string, ReadonlySet<string>> {
  const bySession = new Map<string, Set<string>>();
  for (const operation of operations) {
    if (operation.kind !== 'send') continue;
    const { sessionId, turnId = operation.wanted } = operation;
    if (turnId === undefined) continue;
    bySession.set(sessionId, (bySession.get(sessionId) ?? new Set()).add(turnId));
  }
  return bySession;
}

/** Back to what they used at their start, or as near as they come in the time. */
export async function awaitCalm(replicas: readonly Replica[], isCalm: (replica: Replica) => boolean): Promise<void> {
  await until('the replicas are calm', () => replicas.every(isCalm), { deadlineMs: CLOSE_MS_MAX, everyMs: 500 }).catch(
    () => undefined,
  );
}
