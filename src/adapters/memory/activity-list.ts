// An owner's sessions in order of their newest activity. Entries are only appended (activity always grows); what is
// out of date is passed over while reading and swept out once it is the larger part, so a page costs what it holds.

import { invalidPageToken } from '../../chat/refusals.ts';

interface Entry {
  readonly activity: number;
  readonly sessionId: string;
}

export class ActivityList {
  #entries: Entry[] = [];
  readonly #newest = new Map<string, number>();

  /** `activity` must be greater than any before. */
  note(sessionId: string, activity: number): void {
    this.#newest.set(sessionId, activity);
    this.#entries.push({ activity, sessionId });
    if (this.#entries.length > 2 * this.#newest.size + 16) {
      this.#entries = this.#entries.filter((entry) => this.#isCurrent(entry));
    }
  }

  forget(sessionId: string): void {
    this.#newest.delete(sessionId);
  }

  /** Session ids older than `activity`, newest first. */
  *before(activity: number): Generator<Entry> {
    for (let i = this.#positionOf(activity) - 1; i >= 0; i -= 1) {
      const entry = this.#entries[i];
      if (entry && this.#isCurrent(entry)) yield entry;
    }
  }

  #isCurrent({ sessionId, activity }: Entry): boolean {
    return this.#newest.get(sessionId) === activity;
  }

  /** Position of the first entry that is not older than `activity`. */
  #positionOf(activity: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.activity ?? 0) < activity) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Where a page token points to. Fails with `invalid_page_token`. */
export function activityOf(pageToken: string): number {
  if (/^\d{1,15}$/.test(pageToken)) return Number(pageToken);
  throw invalidPageToken();
}
