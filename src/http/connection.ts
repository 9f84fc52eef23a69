// The connection that a request came on.

import type { FastifyReply } from 'fastify';

/**
 * Its end, if it comes before that of the answer. Not `request.signal`: it fires as soon as the body has been read
 * (Fastify 5.8 and later).
 */
export function watchConnection({ raw }: FastifyReply) {
  let isGone = raw.destroyed;
  let tell = () => {};
  raw.once('close', () => {
    if (raw.writableFinished) return;
    isGone = true;
    tell();
  });
  return {
    onGone(task: () => void) {
      tell = task;
      if (isGone) task();
    },
  };
}
