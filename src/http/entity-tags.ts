// The version of a session as an entity tag (RFC 9110, 8.8 and 13.1.1), for `If-Match` only.

export function entityTag(version: number): string {
  return `"${version}"`;
}

/**
 * The version that the client insists on; `undefined` when it takes any (`*` included, since the session has to exist
 * anyway). A list of tags counts as a mismatch: nobody holds several versions of a counter, and refusing loses nothing.
 */
export function wantedVersion(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const match = /^\s*"(\d{1,15})"\s*$/.exec(ifMatch);
  // A weak, foreign or malformed tag can never match: version 0 does not exist.
  return match ? Number(match[1]) : 0;
}
