// Many streams that stay open, and what has become of them.

import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '../http-client.ts';
import type { Conversation } from '../targets/target.ts';

/** They are opened gradually: what a rush costs is not the question. */
const STEP = 100;
const STEP_MS = 100;

export interface Streams {
  readonly open: number;
  /** How many have had an event. */
  readonly started: number;
  readonly firstFailure: string | undefined;
  close(): void;
}

export async function openStreams(conversations: readonly Conversation[], question: string): Promise<Streams> {
  const connections: Connection[] = [];
  let ended = 0;
  let started = 0;
  let firstFailure: string | undefined;
  const begin = (conversation: Conversation) => {
    const call = conversation.stream(question);
    const connection = new Connection(call.port);
    connections.push(connection);
    let hasStarted = false;
    const onBytes = (bytes: Buffer) => {
      if (hasStarted || !bytes.includes('@')) return;
      hasStarted = true;
      started += 1;
    };
    connection.call(call, { onBytes }).then(
      ({ head }) => end(head),
      (error) => end(String(error)),
    );
  };
  const end = (why: string) => {
    ended += 1;
    firstFailure ??= why;
  };
  for (let at = 0; at < conversations.length; at += STEP) {
    for (const conversation of conversations.slice(at, at + STEP)) begin(conversation);
    await delay(STEP_MS);
  }
  return {
    get open() {
      return connections.length - ended;
    },
    get started() {
      return started;
    },
    get firstFailure() {
      return firstFailure;
    },
    close() {
      for (const connection of connections) connection.close();
    },
  };
}
