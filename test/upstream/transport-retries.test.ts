// When a call is made again: only after 408, 429 and 5xx, at most twice, before the first byte, and when the upstream wants.

import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startModel, WAYS } from '../support/model-scene.ts';
import { answer, asJson, asStream, event, type Script, said } from '../support/upstream.ts';

const RETRIED = [408, 429, 500, 502, 503, 504];
const NOT_RETRIED = [400, 401, 403, 404, 405, 409, 413, 422, 499, 301, 302, 307, 204];

function refuse(response: ServerResponse, status: number, headers: object = {}, details: readonly object[] = []): void {
  asJson(response, status, { error: { code: status, message: 'no', details } }, headers);
}

/** One script for each request, in their order; the last one for all others. */
function inOrder(...scripts: readonly Script[]): Script {
  let requests = 0;
  return (response, call) => {
    const script = scripts[Math.min(requests, scripts.length - 1)];
    requests += 1;
    return script?.(response, call);
  };
}

/** The scripts, and when each request came. */
function timed(...scripts: readonly Script[]): { readonly script: Script; readonly times: number[] } {
  const times: number[] = [];
  const inner = inOrder(...scripts);
  const script: Script = (response, call) => {
    times.push(performance.now());
    return inner(response, call);
  };
  return { script, times };
}

/** Timers may fire a little early by this clock. */
const TIMER_SLACK_MS = 5;

describe.each(WAYS)('a call (%s) that is refused', (way) => {
  it.each(RETRIED)('with %i is made three times, and no more', async (status) => {
    await using scene = await startModel((response) => refuse(response, status));
    const { code } = await scene.ask(way);
    expect(code).toBeDefined();
    expect(scene.upstream.calls).toHaveLength(3);
  });

  it.each(NOT_RETRIED)('with %i is made once', async (status) => {
    await using scene = await startModel((response) => {
      if (status === 204) response.writeHead(204).end();
      else refuse(response, status, { location: '/elsewhere' });
    });
    const { code } = await scene.ask(way);
    expect(code).toBeDefined();
    expect(scene.upstream.calls).toHaveLength(1);
  });

  it('succeeds with the first answer that is one, and repeats the same request for it', async () => {
    const script = inOrder(
      (response) => refuse(response, 503),
      (response) => refuse(response, 429),
      (response, call) => answer(response, call, 'at last'),
    );
    await using scene = await startModel(script);
    expect(await scene.ask(way)).toMatchObject({ text: 'at last' });
    const [first, ...others] = scene.upstream.calls.map(({ url, body }) => url + body);
    expect(others).toEqual([first, first]);
  });

  it('is not made again when the configuration forbids it', async () => {
    await using scene = await startModel((response) => refuse(response, 503), { rules: { retriesMax: 0 } });
    await scene.ask(way);
    expect(scene.upstream.calls).toHaveLength(1);
  });
});

describe('the time between the tries', () => {
  it('grows, and is a matter of chance', async () => {
    const { script, times } = timed((response) => refuse(response, 500));
    await using scene = await startModel(script, { chance: () => 0.5 });
    await scene.ask('stream');
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(125 - TIMER_SLACK_MS);
    expect(third - second).toBeGreaterThanOrEqual(250 - TIMER_SLACK_MS);
  });

  it.each([408, 429, 500, 503, 504])('is what Retry-After says, after %i', async (status) => {
    const { script, times } = timed(
      (response) => refuse(response, status, { 'retry-after': '1' }),
      (response, call) => answer(response, call, 'ok'),
    );
    await using scene = await startModel(script);
    expect(await scene.ask('generate')).toMatchObject({ text: 'ok' });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1000 - TIMER_SLACK_MS);
  });

  it('is what RetryInfo says, where there is no header', async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.200s' }];
    const { script, times } = timed(
      (response) => refuse(response, 429, {}, details),
      (response, call) => answer(response, call, 'ok'),
    );
    await using scene = await startModel(script);
    expect(await scene.ask('generate')).toMatchObject({ text: 'ok' });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1000 - TIMER_SLACK_MS);
  });

  it.each(['0', 'Wed, 21 Oct 2026 07:28:00 GMT', 'soon', '-1', '1e3'])(
    'is ours when Retry-After is %j',
    async (retryAfter) => {
      await using scene = await startModel((response) => refuse(response, 503, { 'retry-after': retryAfter }));
      const { ms } = await scene.ask('generate');
      expect(scene.upstream.calls).toHaveLength(3);
      expect(ms).toBeLessThan(5000);
    },
  );

  it.each<[string, Script]>([
    ['Retry-After', (response) => refuse(response, 429, { 'retry-after': '9' })],
    ['RetryInfo', (response) => refuse(response, 429, {}, [{ retryDelay: '8.001s' }])],
  ])('is left to the caller when %s is longer than a retry may wait', async (_name, script) => {
    await using scene = await startModel(script, { rules: { retryWaitMaxMs: 8000 } });
    const { error, ms } = await scene.ask('stream');
    expect(error).toMatchObject({ code: 'model_overloaded', retryable: true, details: { retryAfterS: 9 } });
    expect(scene.upstream.calls).toHaveLength(1);
    expect(ms).toBeLessThan(5000);
  });

  it('is over at once when the call has run out of time', async () => {
    await using scene = await startModel((response) => refuse(response, 503, { 'retry-after': '8' }), {
      rules: { firstEventTimeoutMs: 200 },
    });
    const { code, ms } = await scene.ask('stream');
    expect(code).toBe('model_timeout');
    expect(ms).toBeLessThan(4000);
    expect(scene.upstream.calls).toHaveLength(1);
  });
});

describe('an answer that has begun', () => {
  const unavailable = { error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } };

  it.each<[string, Script, string]>([
    ['an error in its first event', (response) => asStream(response).end(event(unavailable)), 'model_error'],
    [
      'an error after an event',
      (response) => asStream(response).end(event(said('a')) + event(unavailable)),
      'model_error',
    ],
    [
      'an error as bare JSON',
      (response) => asStream(response).end(JSON.stringify(unavailable, null, 2)),
      'model_error',
    ],
    ['garbage', (response) => asStream(response).end('data: {"a'), 'model_protocol_error'],
    ['a cut after an event', (response) => cut(response, event(said('a'))), 'model_protocol_error'],
    ['a cut in the first event', (response) => cut(response, 'data: {"can'), 'model_protocol_error'],
    ['a cut after the headers', (response) => cut(response), 'model_protocol_error'],
  ])('is never asked for again: %s', async (_name, script, code) => {
    await using scene = await startModel(script);
    expect(await scene.ask('stream')).toMatchObject({ code });
    expect(scene.upstream.calls).toHaveLength(1);
  });

  it('is never asked for again when a document is cut', async () => {
    await using scene = await startModel((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      return cut(response, '{"candidates":[{');
    });
    expect(await scene.ask('generate')).toMatchObject({ code: 'model_protocol_error' });
    expect(scene.upstream.calls).toHaveLength(1);
  });

  it('keeps what came before a cut', async () => {
    await using scene = await startModel((response) => cut(response, event(said('half ')) + event(said('an answer'))));
    expect(await scene.ask('stream')).toMatchObject({ code: 'model_protocol_error', text: 'half an answer' });
  });
});

/** Ends the connection once the bytes have left, without ending the answer. */
async function cut(response: ServerResponse, text = ''): Promise<void> {
  if (!response.headersSent) asStream(response);
  response.flushHeaders();
  const { promise, resolve } = Promise.withResolvers<void>();
  if (text === '') resolve();
  else response.write(text, () => resolve());
  await promise;
  response.socket?.resetAndDestroy();
}
