// The history of a session, read page by page.

import type { Message } from '../chat/content.ts';
import type { Waiting } from './chat-options.ts';

export interface HistoryOptions extends Waiting {
  /** Oldest first unless it is `desc`. */
  readonly order?: 'asc' | 'desc' | undefined;
  /** Messages per request, 1 to 200. */
  readonly pageSize?: number | undefined;
}

export interface MessagePage {
  readonly messages: readonly Message[];
  readonly nextPageToken?: string;
}

/**
 * `for await (const message of chat.messageHistory())` holds one page at a time and asks for the next one when it is
 * needed; `await chat.messageHistory().toArray()` is the whole list. Every loop begins anew.
 */
export class MessageHistory implements AsyncIterable<Message> {
  readonly #readPage: (pageToken: string | undefined) => Promise<MessagePage>;

  constructor(readPage: (pageToken: string | undefined) => Promise<MessagePage>) {
    this.#readPage = readPage;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void> {
    let pageToken: string | undefined;
    do {
      const page = await this.#readPage(pageToken);
      yield* page.messages;
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  /** All messages. As long as the service lets a history become. */
  async toArray(): Promise<Message[]> {
    const messages: Message[] = [];
    for await (const message of this) messages.push(message);
    return messages;
  }
}
