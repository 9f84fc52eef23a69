// What a process still holds after its garbage has been collected: asked through the inspector of Node, so that the
// service is the one that is shipped. RSS alone would not tell: V8 and malloc keep what they once had.

import { once } from 'node:events';

/** For NODE_OPTIONS: the inspector listens on a port of its own, and says where. */
export const INSPECTED = '--inspect=127.0.0.1:0';

/** Where the inspector listens, if these words of its process say so. */
export function inspectorIn(output: string): string | undefined {
  return /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(output)?.[0];
}

const USED = '{ const { heapUsed, external } = process.memoryUsage(); heapUsed + external; }';

/** Heap and what hangs on it outside (buffers), in MiB. */
export async function liveMiB(inspectorUrl: string): Promise<number> {
  const socket = new WebSocket(inspectorUrl);
  await once(socket, 'open');
  let number = 0;
  const call = async (method: string, params: object = {}): Promise<unknown> => {
    number += 1;
    socket.send(JSON.stringify({ id: number, method, params }));
    const [message] = (await once(socket, 'message')) as [MessageEvent];
    return JSON.parse(String(message.data)).result;
  };
  // Twice: what the first one finds to finalize is free after the second.
  await call('HeapProfiler.collectGarbage');
  await call('HeapProfiler.collectGarbage');
  const { result } = (await call('Runtime.evaluate', { expression: USED })) as { result: { value: number } };
  const closed = once(socket, 'close');
  socket.close();
  await closed;
  return Math.round((result.value / 1024 ** 2) * 10) / 10;
}
