// Messages that a caller brings along, at the creation of a session or later: they were said elsewhere.

import type { ChatDependencies } from './chat-dependencies.ts';
import { isoTime } from './clock.ts';
import { type Content, checkHistory, type KeptMessage, visibleText } from './content.ts';
import { checkFileUris } from './file-uris.ts';

export interface Brought {
  readonly contents: readonly Content[];
  /** In the words of the request, for errors. */
  readonly path: string;
  /** The message that they follow. */
  readonly after?: KeptMessage | undefined;
}

/** Fails with `invalid_argument` that names the first message after which a user could not go on. */
export function checkBrought({ contents, path, after }: Brought, { permissions }: ChatDependencies): void {
  checkHistory(contents, path, after);
  contents.forEach(({ parts }, index) => {
    checkFileUris(parts, permissions.fileUris, `${path}/${index}/parts`);
  });
}

/** As the history keeps them. What signatures they bring are taken for those of the session's model. */
export function broughtMessages(
  contents: readonly Content[],
  model: string,
  { newId, clock }: ChatDependencies,
): readonly KeptMessage[] {
  const createTime = isoTime(clock.now());
  return contents.map(({ author, parts }) => {
    const said = author === 'bot' ? { model } : {};
    return { id: newId(), author, content: visibleText(parts), parts, createTime, ...said };
  });
}
