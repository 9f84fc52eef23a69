// Many streams that stay open, and what has become of them.

import { Connection } from '../http-client.ts';
import type { Conversation } from '../targets/target.ts';

/**
 * So many are on their way to their first event at a time. What a rush costs is not the question, and a queue of the kernel
 * that runs over resets connections long after.
 */
const AT_ONCE = 50;

export interface Streams {
  /** How many have had an event, and have not ended. */
  readonly open: number;
  /** Why the first one ended that did. */
  readonly failure: string | undefined;
  close(): void;
}

/** Resolves when each of them has had its first event, or has ended. */
export async function openStreams(conversations: readonly Conversation[], question: string): Promise<Streams> {
  const connections: Connection[] = [];
  let ended = 0;
  let failure: string | undefined;
  const begin = (conversation: Conversation) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const call = conversation.stream(question);
    const connection = new Connection(call.port);
    connections.push(connection);
    const onBytes = (bytes: Buffer) => {
      if (bytes.includes('@')) resolve();
    };
    const end = (why: string) => {
      ended += 1;
      failure ??= why;
      resolve();
    };
    connection.call(call, { onBytes }).then(
      ({ head }) => end(`ended: ${head}`),
      (error) => end(String(error)),
    );
    return promise;
  };
  const waiting = conversations.values();
  const beginSome = async () => {
    for (const conversation of waiting) await begin(conversation);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, beginSome));
  return {
    get open() {
      return connections.length - ended;
    },
    get failure() {
      return failure;
    },
    close() {
      for (const connection of connections) connection.close();
    },
  };
}
