// Clients that look at turns which others have begun, or which they have lost sight of.

import { type Answered, type Call, Connection } from '../http-client.ts';
import type { Conversation, Target } from '../targets/target.ts';

/** A turn of the service that has been begun, and an event of it been seen. */
export interface Begun {
  /** `/v1/sessions/…/turns/…` */
  readonly path: string;
  /** Of the first event that says something. */
  readonly firstEventId: string;
  /** Fails when the stream ends before its end. */
  readonly ended: Promise<Answered>;
  /** No longer looks at it. */
  leave(): void;
}

export async function beginTurn(conversation: Conversation, question: string): Promise<Begun> {
  const call = conversation.stream(question);
  const connection = new Connection(call.port);
  const { promise: seen, resolve, reject } = Promise.withResolvers<Pick<Begun, 'path' | 'firstEventId'>>();
  let text = '';
  const ended = connection.call(call, {
    onBytes: (bytes) => {
      if (text.includes('@')) return;
      text += bytes.toString('latin1');
      const firstEventId = /^id: (\S+)\nevent: candidate\.delta\n.*@/m.exec(text)?.[1];
      const turnId = /"turnId":"([^"]+)"/.exec(text)?.[1];
      if (firstEventId === undefined || turnId === undefined) return;
      resolve({ path: call.path.replace(/messages\/stream$/, `turns/${turnId}`), firstEventId });
    },
  });
  ended.then(
    ({ head }) => reject(new Error(`the stream has ended without an event:\n${head}`)),
    (error) => reject(error),
  );
  return { ...(await seen), ended, leave: () => connection.close() };
}

/** Looks at a turn, from an event on, or from its beginning. Resolves when so many events have been seen. */
export function view({ path }: Begun, port: number, events: number, after?: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const headers = after === undefined ? {} : { 'last-event-id': after };
  const connection = new Connection(port);
  let left = events;
  const onBytes = (bytes: Buffer) => {
    for (let at = bytes.indexOf('@'); at !== -1; at = bytes.indexOf('@', at + 1)) left -= 1;
    if (left > 0) return;
    connection.close();
    resolve();
  };
  connection.call({ port, method: 'GET', path: `${path}/events`, headers }, { onBytes }).then(({ head }) => {
    if (left > 0) reject(new Error(`${path} has ended ${left} events too early:\n${head}`));
  }, reject);
  return promise;
}

export async function cancelTurns(turns: readonly Begun[], port: number): Promise<void> {
  const cancel = async ({ path }: Begun) => {
    const connection = new Connection(port);
    const call: Call = { port, method: 'POST', path: `${path}/cancel` };
    const { status, text } = await connection.call(call, { keepsText: true });
    connection.close();
    if (status !== 200) throw new Error(`${call.path}: ${status}\n${text}`);
  };
  await Promise.all(turns.map(cancel));
}

export async function portOf(target: Target): Promise<number> {
  const [conversation] = await target.open(1);
  if (!conversation) throw new Error(`${target.name} has no conversation`);
  return conversation.stream('').port;
}
