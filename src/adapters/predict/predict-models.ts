// Which models speak the legacy wire.

/** The family that never spoke another one. */
const FAMILY = 'chat-bison';

/** `listed`: ids, or beginnings of ids, of further ones. A model may be named by its path; then its last segment counts, too. */
export function speaksPredict(model: string, listed: readonly string[]): boolean {
  const names = [model, model.slice(model.lastIndexOf('/') + 1)];
  return [FAMILY, ...listed].some((start) => names.some((name) => name.startsWith(start)));
}
