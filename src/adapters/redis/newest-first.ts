// Sorted sets that are read from their highest score down, page by page, from a place that stays where it is while others
// come and go.

import type { RedisConnection } from './redis-connection.ts';
import { number, text } from './stored-session.ts';

/** What comes after it is older, or as old with a smaller name. */
export interface Place {
  readonly score: number;
  readonly member: string;
}

/** Costs what it holds; `count` of them, fewer at the end. */
export async function placesAfter(
  redis: RedisConnection,
  key: string,
  cursor: Place | undefined,
  count: number,
): Promise<readonly Place[]> {
  const from = cursor ? String(cursor.score) : '+inf';
  const places: Place[] = [];
  // Those with the same score as the cursor are met again and passed over, however many they are.
  for (let offset = 0; places.length < count; ) {
    const args = [from, '-inf', 'BYSCORE', 'REV', 'LIMIT', offset, count, 'WITHSCORES'];
    const reply = (await redis.call('ZRANGE', key, ...args)) as Uint8Array[];
    for (let i = 0; i < reply.length; i += 2) {
      const place = { member: text(reply[i]), score: number(reply[i + 1]) };
      if (!cursor || isAfter(place, cursor)) places.push(place);
    }
    offset += reply.length / 2;
    if (reply.length < 2 * count) break;
  }
  return places.slice(0, count);
}

/** Redis orders members of one score by their bytes; reversed, the greater one comes first. */
function isAfter(place: Place, cursor: Place): boolean {
  return place.score < cursor.score || (place.score === cursor.score && place.member < cursor.member);
}
