// Which models speak the legacy wire.

import { shortName } from '../../chat/model-name.ts';

/** The family that never spoke another one. */
const FAMILY = 'chat-bison';

/**
 * `listed`: ids, or beginnings of ids, of further ones. Google's own models are the same by their short name and by their
 * path; an endpoint is named whole, since its number says nothing by its beginning.
 */
export function speaksPredict(model: string, listed: readonly string[]): boolean {
  const name = shortName(model);
  return [FAMILY, ...listed.map(shortName)].some((start) => {
    return start.includes('/') ? name === start : name.startsWith(start);
  });
}
