// Who the service says it is where there is nothing to find out: the key of the Developer API, and nothing for an emulator.

import { describe, expect, it } from 'vitest';
import { GeminiModel } from '../../src/adapters/gemini/gemini-model.ts';
import { Upstream } from '../../src/adapters/upstream/upstream.ts';
import { ask, RULES, startModel, WAYS } from '../support/model-scene.ts';
import { answer, asJson, type Script, startUpstream } from '../support/upstream.ts';

const ok: Script = (response, call) => answer(response, call, 'ok');

describe('without Application Default Credentials', () => {
  it.each(WAYS)('the Developer API is sent its key in a header, and nothing else (%s)', async (way) => {
    await using scene = await startModel(ok);
    await scene.ask(way);
    const [call] = scene.upstream.calls;
    expect(call?.headers['x-goog-api-key']).toBe('the-api-key');
    expect(call?.headers).not.toHaveProperty('authorization');
    expect(`${call?.url}${call?.body}`).not.toContain('the-api-key');
  });

  it.each(WAYS)('an emulator is sent nothing (%s)', async (way) => {
    await using upstream = await startUpstream(ok);
    const backend = { kind: 'emulator', address: upstream.address, project: 'p', location: 'global' } as const;
    const model = new GeminiModel(new Upstream(backend, RULES, () => 0));
    expect(await ask(model, way)).toMatchObject({ text: 'ok' });
    const sent = Object.keys(upstream.calls[0]?.headers ?? {});
    expect(sent.filter((name) => /auth|key|cookie|goog/.test(name))).toEqual([]);
    await model.close();
  });

  it.each(WAYS)('a refused key is not tried again (%s)', async (way) => {
    await using scene = await startModel((response) => asJson(response, 401, { error: { code: 401 } }));
    expect(await scene.ask(way)).toMatchObject({ code: 'model_error' });
    expect(scene.upstream.calls).toHaveLength(1);
  });
});
