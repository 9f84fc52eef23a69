// A store with some members replaced by the test: away, slow, or watched. The rest is the real one's.

import { ChatError } from '../../src/chat/errors.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';

export function wrapStore(store: SessionStore, changed: (store: SessionStore) => Partial<SessionStore>): SessionStore {
  const whole: SessionStore = {
    create: (...args) => store.create(...args),
    read: (...args) => store.read(...args),
    list: (...args) => store.list(...args),
    update: (...args) => store.update(...args),
    rewind: (...args) => store.rewind(...args),
    delete: (...args) => store.delete(...args),
    readMessages: (...args) => store.readMessages(...args),
    letGo: (...args) => store.letGo(...args),
    leave: (...args) => store.leave(...args),
    recall: (...args) => store.recall(...args),
    begin: (...args) => store.begin(...args),
    append: (...args) => store.append(...args),
    finish: (...args) => store.finish(...args),
    renew: (...args) => store.renew(...args),
    reap: (...args) => store.reap(...args),
    readTurn: (...args) => store.readTurn(...args),
    listTurns: (...args) => store.listTurns(...args),
    requestCancel: (...args) => store.requestCancel(...args),
    onCancel: (...args) => store.onCancel(...args),
    readEvents: (...args) => store.readEvents(...args),
    cursorNow: (...args) => store.cursorNow(...args),
    epochOf: (...args) => store.epochOf(...args),
    watch: (...args) => store.watch(...args),
    readFrames: (...args) => store.readFrames(...args),
    isReady: () => store.isReady(),
    close: () => store.close(),
  };
  return { ...whole, ...changed(store) };
}

export function storeAway(): ChatError {
  return new ChatError('store_unavailable', 'The store of sessions cannot be reached.');
}
