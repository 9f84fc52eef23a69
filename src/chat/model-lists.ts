// Lists of models: which of them may be asked.

/** Names of models, and beginnings of names, which end in `*`. */
export type ModelList = readonly string[];

const GOOGLE = 'publishers/google/models/';

/**
 * Google's own models are the same by their id and by their publisher's path. What begins with `projects/` may be in another
 * project or another part of the world: it is listed by its whole name, or by a beginning that says `projects/` itself.
 */
export function isListed(model: string, list: ModelList): boolean {
  const name = withPublisher(model);
  return list.some((entry) => {
    if (entry === '*') return name.startsWith('publishers/');
    const listed = withPublisher(entry);
    return listed.endsWith('*') ? name.startsWith(listed.slice(0, -1)) : name === listed;
  });
}

function withPublisher(name: string): string {
  return name.includes('/') ? name : `${GOOGLE}${name}`;
}
