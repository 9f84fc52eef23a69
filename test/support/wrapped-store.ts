// A store with some members replaced by the test: away, slow, or watched. The rest is the real one's.

import { ChatError } from '../../src/chat/errors.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';

export function wrapStore(store: SessionStore, changed: (store: SessionStore) => Partial<SessionStore>): SessionStore {
  const own = new Map<PropertyKey, unknown>(Object.entries(changed(store)));
  return new Proxy(store, {
    get(target, name) {
      if (own.has(name)) return own.get(name);
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

export function storeAway(): ChatError {
  return new ChatError('store_unavailable', 'The store of sessions cannot be reached.');
}
