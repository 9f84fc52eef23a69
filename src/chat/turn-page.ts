// Pages of the ledger: every turn as it is read alone.

import { asChatError } from './errors.ts';
import { decodeTurn } from './records.ts';
import type { Page, SessionKey } from './session.ts';
import type { SessionStore } from './session-store.ts';
import { isOpen, type Turn } from './turn.ts';

export interface TurnPageRequest {
  readonly pageSize: number;
  readonly pageToken?: string;
}

/**
 * Newest first. `readTurn` reads one that has still to end, and ends it when its process is dead; what it does not find any
 * more is passed over. Fails with `invalid_page_token`, `session_not_found`.
 */
export async function pageOfTurns(
  store: SessionStore,
  key: SessionKey,
  { pageSize, pageToken }: TurnPageRequest,
  readTurn: (turnId: string) => Promise<Turn>,
): Promise<Page<Turn>> {
  const { items, ...page } = await store.listTurns(key, pageSize, pageToken);
  const turns = items.map(decodeTurn).map((turn) => (isOpen(turn) ? readTurn(turn.turnId).catch(unlessGone) : turn));
  return { ...page, items: (await Promise.all(turns)).filter((turn) => turn !== undefined) };
}

function unlessGone(error: unknown): undefined {
  if (asChatError(error).code === 'turn_not_found') return undefined;
  throw error;
}
