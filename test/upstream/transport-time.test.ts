// The time that an answer may take: to its first event, and from event to event, whatever else comes meanwhile.

import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Outcome, startModel, WAYS, within } from '../support/model-scene.ts';
import { answer, asJson, asStream, event, type Script, said } from '../support/upstream.ts';

/** Short for a model, long for a machine that is busy. */
const LIMIT_MS = 300;
/** No timeout of the adapter is longer in these tests, but the run may be slow. */
const BOUND_MS = 6000;
const LONG_MS = 60_000;

function timesOut({ code, ms }: Outcome): void {
  expect(code).toBe('model_timeout');
  expect(ms).toBeGreaterThan(LIMIT_MS * 0.9);
  expect(ms).toBeLessThan(BOUND_MS);
}

/** One piece after the other as long as somebody listens. */
async function drip(response: ServerResponse, pieces: Iterable<string>, everyMs = 20): Promise<void> {
  for (const piece of pieces) {
    if (response.destroyed) return;
    response.write(piece);
    await pause(everyMs);
  }
}

function* forever(piece: string): Generator<string> {
  for (;;) yield piece;
}

describe.each(WAYS)('before the first event (%s)', (way) => {
  it.each<[string, Script]>([
    ['never answers', () => undefined],
    ['says nothing after the headers', (response) => void asStream(response).flushHeaders()],
    ['says nothing after half of the first event', (response) => void asStream(response).write('data: {"candid')],
    ['sends nothing but comments', (response) => drip(asStream(response), forever(': keep-alive\n\n'))],
    ['sends one long event byte by byte', (response) => drip(asStream(response), forever(' '))],
    ['refuses, and does not say why', (response) => void response.writeHead(503).flushHeaders()],
  ])('a model that %s times out, and its connection ends', async (_name, script) => {
    await using scene = await startModel(script, { rules: { firstEventTimeoutMs: LIMIT_MS, idleTimeoutMs: LONG_MS } });
    const outcome = await scene.ask(way);
    timesOut(outcome);
    expect(outcome.error).toMatchObject({ retryable: true, details: { diagnosis: expect.stringContaining('silent') } });
    await within(2000, 'the upstream saw the end', scene.upstream.calls[0]?.aborted ?? Promise.reject());
  });

  it('has one limit for all tries together', async () => {
    const script: Script = async (response) => {
      await pause(LIMIT_MS * 0.6);
      asJson(response, 503, {});
    };
    await using scene = await startModel(script, { rules: { firstEventTimeoutMs: LIMIT_MS } });
    timesOut(await scene.ask(way));
    expect(scene.upstream.calls).toHaveLength(2);
  });

  it('waits for a connection no longer than for an answer', async () => {
    const script: Script = (response, call) => (call.model === 'silent' ? undefined : answer(response, call, 'a'));
    const rules = { firstEventTimeoutMs: LIMIT_MS, connectionsMax: 1 };
    await using scene = await startModel(script, { rules });
    const silent = { model: 'silent', examples: [], contents: [], settings: {} };
    const outcomes = await Promise.all([scene.ask(way, undefined, silent), scene.ask(way, undefined, silent)]);
    for (const outcome of outcomes) timesOut(outcome);
    expect(await scene.ask(way)).toMatchObject({ text: 'a' });
  });
});

describe('between two events', () => {
  const rules = { firstEventTimeoutMs: LONG_MS, idleTimeoutMs: LIMIT_MS };

  it.each<[string, Iterable<string>]>([
    ['nothing', []],
    ['comments', forever(': keep-alive\n\n')],
    ['an event that is never complete', ['data: {"candidates":[', ...Array.from({ length: 5000 }, () => '{},')]],
    ['line ends', forever('\n')],
  ])('a model that says %s times out, with what it had said before', async (_name, pieces) => {
    await using scene = await startModel(
      (response) => {
        asStream(response).write(event(said('before')));
        return drip(response, pieces);
      },
      { rules },
    );
    const outcome = await scene.ask('stream');
    timesOut(outcome);
    expect(outcome.text).toBe('before');
    await within(2000, 'the upstream saw the end', scene.upstream.calls[0]?.aborted ?? Promise.reject());
  });

  it('a model may take longer in all than any limit, as long as it says something', async () => {
    const words = Array.from({ length: 12 }, (_, index) => `${index} `);
    await using scene = await startModel(
      async (response) => {
        await drip(
          asStream(response),
          words.map((word) => event(said(word))),
          LIMIT_MS / 3,
        );
        response.end(event(said('end', 'STOP')));
      },
      { rules: { firstEventTimeoutMs: LIMIT_MS * 2, idleTimeoutMs: LIMIT_MS * 2 } },
    );
    const outcome = await scene.ask('stream');
    expect(outcome.code).toBeUndefined();
    expect(outcome.text).toBe(`${words.join('')}end`);
    expect(outcome.ms).toBeGreaterThan(LIMIT_MS * 2);
  });

  it('the limit is the one for silence, not the one for the first event', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    await using scene = await startModel(
      async (response) => {
        asStream(response).write(event(said('a')));
        await asked;
        await pause(LIMIT_MS * 2);
        response.end(event(said('b', 'STOP')));
      },
      { rules: { firstEventTimeoutMs: LIMIT_MS, idleTimeoutMs: LONG_MS } },
    );
    resolve();
    expect(await scene.ask('stream')).toMatchObject({ text: 'ab' });
  });
});
