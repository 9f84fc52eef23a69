// Conversations that a peer wants to have made before they are used.

import { type Call, Connection } from '../http-client.ts';
import type { Conversation } from '../targets/target.ts';

/** So many are made at the same time. */
const MAKERS = 8;

/** `creation` makes one, `conversation` what comes of its answer. */
export async function makeConversations(
  count: number,
  creation: Call,
  conversation: (answer: Readonly<Record<string, unknown>>) => Conversation,
): Promise<readonly Conversation[]> {
  let begun = 0;
  const made: Conversation[] = [];
  const make = async () => {
    while (begun < count) {
      begun += 1;
      const connection = new Connection(creation.port);
      const { status, text } = await connection.call(creation, { keepsText: true });
      connection.close();
      if (status !== 200) throw new Error(`${creation.path} was answered with ${status}: ${text}`);
      made.push(conversation(JSON.parse(text) as Readonly<Record<string, unknown>>));
    }
  };
  await Promise.all(Array.from({ length: MAKERS }, make));
  return made;
}
