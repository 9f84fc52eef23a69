// Waiting that ends: when the caller wants it to, or when it has taken too long.

/** The promise, or the signal's reason, whichever comes first. What the promise says too late is passed over. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    // Kept off a signal that lives longer than this call, or its listeners would grow with every call.
    const listened = promise.finally(() => signal.removeEventListener('abort', stop));
    listened.then(resolve, reject);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** Resolves after a while; rejects with the signal's reason. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return orAborted(passed, signal).finally(() => clearTimeout(timer));
}

/** The promise, or after a while what `late` says instead. */
export async function orLate<T>(promise: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  // Without the timer's end a program would end so much later.
  return Promise.race([promise, passed.then(late)]).finally(() => clearTimeout(timer));
}

/** Aborts the controller when the signal does. Answers how to stop that. */
export function follow(signal: AbortSignal | undefined, controller: AbortController): () => void {
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}
