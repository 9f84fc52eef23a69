// A message that a caller brings along.

import type { Static } from 'typebox';
import { type Content, textPart } from '../../chat/content.ts';
import type { HistoryMessage } from '../schemas/message.ts';

/** Other APIs call the bot by other names; here they are understood, and never said. */
export function readMessage({ author, content, parts }: Static<typeof HistoryMessage>): Content {
  return { author: author === 'user' ? 'user' : 'bot', parts: parts ?? [textPart(content ?? '')] };
}
