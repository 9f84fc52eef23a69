// What makes V8 take an escaped name for another one (nodejs/node#63785): an object that has, in the same place, a name that
// looks like the beginning of its raw text. Where V8 does not do so, it does nothing.

/** V8 forgets the names of objects that are gone. */
const kept: unknown[] = [];

/** Texts after which `JSON.parse` misreads objects with these members, `"name":value` each, as they are written. */
export function misleadingTexts(members: readonly string[]): readonly string[] {
  return members.flatMap((member, place) => {
    const [literal = ''] = /^"(?:[^"\\]|\\.)*"/.exec(member) ?? [];
    if (!literal.includes('\\')) return [];
    const name: string = JSON.parse(literal);
    const looksAlike = JSON.stringify(literal.slice(1, 1 + name.length));
    return [`{${members.with(place, `${looksAlike}${member.slice(literal.length)}`).join(',')}}`];
  });
}

/** As anything in this process might do that parses a text of somebody's. */
export function mislead(members: readonly string[]): void {
  for (const text of misleadingTexts(members)) kept.push(JSON.parse(text));
}
