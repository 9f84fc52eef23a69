// A session with the addresses that only the edge knows.

import type { Session } from '../../chat/session.ts';
import { activeTurnOf, type PublicPaths } from '../problems.ts';

export function presentSession(session: Session, paths: PublicPaths) {
  const { activeTurnId, ...fields } = session;
  return activeTurnId === undefined ? fields : { ...fields, activeTurn: activeTurnOf(paths, session.id, activeTurnId) };
}
