// An abort reaches the socket, whenever it comes, and nothing is left behind: no socket, no timer, no listener. And what
// ended well leaves its connection for the next call.

import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ask, modelAt, REQUEST, startModel, WAYS, within } from '../support/model-scene.ts';
import { until } from '../support/until.ts';
import { answer, asJson, asStream, event, type Script, said } from '../support/upstream.ts';
import { watchLongTimers } from './long-timers.ts';

const LONG_MS = 600_000;
const LONG = { firstEventTimeoutMs: LONG_MS, idleTimeoutMs: LONG_MS };

describe.each(WAYS)('an abort (%s)', (way) => {
  it('before the call keeps it from being made', async () => {
    await using scene = await startModel((response, call) => answer(response, call, 'a'));
    const { code } = await scene.ask(way, AbortSignal.abort());
    expect(code).toBeDefined();
    expect(scene.upstream.calls).toHaveLength(0);
  });

  it.each<[string, Script]>([
    ['while the headers are awaited', () => undefined],
    ['after the headers', (response) => void asStream(response).flushHeaders()],
    ['in the middle of an event', (response) => void asStream(response).write('data: {"candidates":[{"con')],
    ['in the body of a refusal', (response) => void response.writeHead(400).flushHeaders()],
  ])('%s ends the call and reaches the upstream within a second', async (_name, script) => {
    const asked = Promise.withResolvers<void>();
    await using scene = await startModel(
      (response, call) => {
        asked.resolve();
        return script(response, call);
      },
      { rules: LONG },
    );
    using timers = watchLongTimers();
    const controller = new AbortController();
    const outcome = scene.ask(way, controller.signal);
    await asked.promise;
    controller.abort();
    const { code } = await within(1000, 'the call ended', outcome);
    expect(code).toBeDefined();
    await within(1000, 'the upstream saw it', scene.upstream.calls[0]?.aborted ?? Promise.reject());
    await until('no socket is open', () => scene.upstream.openSockets === 0);
    await until('no timer is left', () => timers.open === 0, { deadlineMs: 4000 });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('while it waits to try again ends the call at once, and it is not made again', async () => {
    const waits = Promise.withResolvers<void>();
    await using scene = await startModel((response) => asJson(response, 503, {}, { 'retry-after': '8' }), {
      rules: LONG,
      // Asked for when it is about to wait.
      chance: () => {
        waits.resolve();
        return 0;
      },
    });
    using timers = watchLongTimers();
    const controller = new AbortController();
    const outcome = scene.ask(way, controller.signal);
    await waits.promise;
    controller.abort();
    expect((await within(1000, 'the call ended', outcome)).code).toBeDefined();
    expect(scene.upstream.calls).toHaveLength(1);
    await until('no timer is left', () => timers.open === 0, { deadlineMs: 4000 });
  });

  it('while it waits for a free connection ends the call at once, and it is never made', async () => {
    const asked = Promise.withResolvers<void>();
    await using scene = await startModel(() => asked.resolve(), { rules: { ...LONG, connectionsMax: 1 } });
    const [first, second] = [new AbortController(), new AbortController()];
    const holding = scene.ask(way, first.signal);
    await asked.promise;
    const waiting = scene.ask(way, second.signal);
    second.abort();
    await within(1000, 'the waiting call ended', waiting);
    expect(scene.upstream.calls).toHaveLength(1);
    first.abort();
    await within(1000, 'the holding call ended', holding);
  });
});

describe('a taker that throws', () => {
  it('ends the call with what it threw, closes the socket, and leaves no listener', async () => {
    await using scene = await startModel((response) => void asStream(response).write(event(said('a'))), {
      rules: LONG,
    });
    const { signal } = new AbortController();
    const reading = scene.model.stream(REQUEST, signal, () => {
      throw new RangeError('mine');
    });
    await expect(reading).rejects.toThrow(new RangeError('mine'));
    await within(1000, 'the upstream saw it', scene.upstream.calls[0]?.aborted ?? Promise.reject());
    await until('no socket is open', () => scene.upstream.openSockets === 0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('is given nothing more', async () => {
    await using scene = await startModel((response) => {
      asStream(response).end(event(said('a')) + event(said('b')) + event(said('c', 'STOP')));
    });
    const texts: unknown[] = [];
    const reading = scene.model.stream(REQUEST, new AbortController().signal, ({ candidates }) => {
      texts.push(candidates[0]?.parts[0]?.text);
      throw new RangeError('mine');
    });
    await expect(reading).rejects.toThrow('mine');
    expect(texts).toEqual(['a']);
  });
});

describe('an abort in the middle of a stream', () => {
  it('reaches the upstream within a second, and what was said stays', async () => {
    await using scene = await startModel((response) => void asStream(response).write(event(said('a'))), {
      rules: LONG,
    });
    const controller = new AbortController();
    const texts: unknown[] = [];
    const reading = scene.model.stream(REQUEST, controller.signal, (chunk) => {
      texts.push(chunk.candidates[0]?.parts[0]?.text);
      controller.abort();
    });
    await within(1000, 'the call ended', expect(reading).rejects.toMatchObject({ name: 'ChatError' }));
    await within(1000, 'the upstream saw it', scene.upstream.calls[0]?.aborted ?? Promise.reject());
    expect(texts).toEqual(['a']);
  });
});

describe('a thousand calls under one signal', () => {
  /** Answers, refuses, cuts, and leaves some without an answer: those are left early or aborted by the caller. */
  const script: Script = (response, call) => {
    const kind = Number(JSON.parse(call.body).contents[0].parts[0].text) % 5;
    if (kind === 0) return answer(response, call, 'ok');
    if (kind === 1) return asJson(response, 400, {});
    if (kind === 2) return void response.socket?.destroy();
    if (kind === 3) return void asStream(response).end(event(said('a')) + event(said('b', 'STOP')));
    return asJson(response, 403, { error: { code: 403 } });
  };

  it('leave no listener, no timer, no socket and no warning', async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error) => warnings.push(warning.name);
    process.on('warning', onWarning);
    using timers = watchLongTimers();
    {
      await using scene = await startModel(script, { rules: { ...LONG, connectionsMax: 8 } });
      const { signal } = new AbortController();
      for (let batch = 0; batch < 100; batch += 1) {
        const calls = Array.from({ length: 10 }, (_, index) => {
          const request = { ...REQUEST, contents: [{ author: 'user' as const, parts: [{ text: String(index) }] }] };
          return scene.ask(index % 2 === 0 ? 'stream' : 'generate', signal, request);
        });
        await Promise.all(calls);
      }
      expect(scene.upstream.calls).toHaveLength(1000);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      expect(scene.upstream.openSockets).toBeLessThanOrEqual(8);
      await scene.model.close();
      await until('no socket is open', () => scene.upstream.openSockets === 0);
    }
    await until('no timer is left', () => timers.open === 0, { deadlineMs: 4000 });
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('connections', () => {
  it('are used again after answers and refusals of every kind', async () => {
    let requests = 0;
    await using scene = await startModel((response, call) => {
      requests += 1;
      if (requests % 3 === 0) asJson(response, 400, { error: { code: 400, message: 'no' } });
      else answer(response, call, 'a');
    });
    for (let round = 0; round < 6; round += 1) for (const way of WAYS) await scene.ask(way);
    expect(scene.upstream.calls).toHaveLength(12);
    // The second call may come before the pool knows that the first connection is free.
    expect(scene.upstream.connections).toBeLessThanOrEqual(2);
  });

  it('are made anew when the upstream has closed the idle ones', async () => {
    await using scene = await startModel((response, call) => {
      response.shouldKeepAlive = false;
      answer(response, call, 'a');
    });
    for (let round = 0; round < 3; round += 1) expect(await scene.ask('stream')).toMatchObject({ text: 'a' });
    expect(scene.upstream.connections).toBe(3);
  });

  it('are as many as there are calls at once, up to the limit', async () => {
    const gate = Promise.withResolvers<void>();
    await using scene = await startModel(
      async (response, call) => {
        await gate.promise;
        answer(response, call, 'a');
      },
      { rules: { ...LONG, connectionsMax: 3 } },
    );
    const calls = Array.from({ length: 7 }, () => scene.ask('stream'));
    await until('three calls have come', () => scene.upstream.calls.length === 3);
    gate.resolve();
    for (const { text } of await Promise.all(calls)) expect(text).toBe('a');
    expect(scene.upstream.connections).toBe(3);
  });

  it('end with the model, also under a call', async () => {
    const asked = Promise.withResolvers<void>();
    await using scene = await startModel(() => asked.resolve(), { rules: LONG });
    const model = modelAt(scene.upstream.url, { rules: LONG });
    const call = ask(model, 'stream');
    await asked.promise;
    await within(1000, 'the model closed', model.close());
    expect((await within(1000, 'the call ended', call)).code).toBeDefined();
    await until('no socket is open', () => scene.upstream.openSockets === 0);
  });
});
