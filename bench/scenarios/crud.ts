// Sessions by themselves: made, read, changed, listed and deleted, eight at a time.

import { type Call, Connection } from '../http-client.ts';
import { cpuOf } from '../processes.ts';
import type { SessionCalls, Target } from '../targets/target.ts';
import { type Figures, type Scenario, sized, subjectsOf } from './scenario.ts';

const SESSIONS = 3000;
const LISTS = 600;
const CALLERS = 8;
const OPERATIONS = ['create', 'get', 'patch', 'list', 'delete'] as const;

export const crud: Scenario = {
  name: 'crud',
  title: 'sessions, 8 connections',
  figures: OPERATIONS.flatMap((operation) => [
    { name: `${operation}-cpu`, unit: `${operation}${operation === 'list' ? ' of 50' : ''}, µs CPU` },
    { name: `${operation}-store`, unit: `${operation}, µs CPU of Redis` },
    { name: `${operation}-rate`, unit: `${operation}, operations per second` },
  ]),
  subjects: (bench) =>
    subjectsOf(bench, (target) => {
      const { sessions } = target;
      return sessions ? (share) => measure(target, sessions, share) : undefined;
    }),
};

async function measure(target: Target, sessions: SessionCalls, share: number): Promise<Figures> {
  const count = sized(SESSIONS, share, CALLERS);
  const ids: string[] = [];
  const id = (at: number) => ids[at] ?? '';
  const figures: Record<string, number> = {};
  const run = async (operation: string, calls: number, callOf: (at: number) => Call, take?: (text: string) => void) => {
    const began = performance.now();
    const [cpuBefore, storeBefore] = [cpuOf(target.pids), cpuOf(target.storePids)];
    await makeCalls(calls, callOf, take);
    figures[`${operation}-cpu`] = (cpuOf(target.pids) - cpuBefore) / calls;
    figures[`${operation}-store`] = (cpuOf(target.storePids) - storeBefore) / calls;
    figures[`${operation}-rate`] = (calls * 1000) / (performance.now() - began);
  };
  await run('create', count, sessions.create, (text) => ids.push((JSON.parse(text) as { id: string }).id));
  await run('get', count, (at) => sessions.get(id(at)));
  await run('patch', count, (at) => sessions.patch(id(at)));
  await run('list', sized(LISTS, share), sessions.list);
  await run('delete', count, (at) => sessions.delete(id(at)));
  return figures;
}

async function makeCalls(count: number, callOf: (at: number) => Call, take?: (text: string) => void): Promise<void> {
  let next = 0;
  const makeSome = async () => {
    let connection: Connection | undefined;
    while (next < count) {
      const call = callOf(next);
      next += 1;
      if (connection?.isClosed) connection = undefined;
      connection ??= new Connection(call.port);
      const { status, text } = await connection.call(call, { keepsText: true });
      if (status < 200 || status > 299) throw new Error(`${call.method} ${call.path}: ${status}\n${text}`);
      take?.(text);
    }
    connection?.close();
  };
  await Promise.all(Array.from({ length: CALLERS }, makeSome));
}
