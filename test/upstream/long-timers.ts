// The timers that were set while somebody watched, and have neither fired nor been cleared. `process.getActiveResourcesInfo`
// counts those of the test runner, too; only long ones are counted here, which it does not set in the middle of a test.

import { createHook } from 'node:async_hooks';

export interface LongTimers extends Disposable {
  readonly open: number;
}

/** An HTTP server keeps a silent connection for 5 s and a bit: shorter timers may be its own. */
const FROM_MS = 7000;

export function watchLongTimers(): LongTimers {
  const open = new Set<number>();
  const hook = createHook({
    init(id, type, _trigger, timer) {
      const ms = (timer as { readonly _idleTimeout?: number })._idleTimeout ?? 0;
      if (type === 'Timeout' && ms >= FROM_MS) open.add(id);
    },
    destroy: (id) => void open.delete(id),
  }).enable();
  return {
    get open() {
      return open.size;
    },
    [Symbol.dispose]: () => void hook.disable(),
  };
}
