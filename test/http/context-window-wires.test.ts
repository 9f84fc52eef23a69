// `contextWindow` on both wires to a model: a trimmed history is a request that the model takes.

import { describe, expect, it } from 'vitest';
import { startScene } from '../support/service-scene.ts';
import { MODELS, says, startWires, turnOf, WIRES_AND_ROUTES } from '../support/wires.ts';

describe('on either wire', () => {
  it.each(WIRES_AND_ROUTES)('a trimmed history begins with a question (%s, %s)', async (wire, route) => {
    await using scene = await startWires(says([['Fine.']]));
    const contextWindow = { maxMessages: 3, onOverflow: 'trimOldest' };
    const messageHistory = [
      { author: 'bot', content: 'Welcome.' },
      { author: 'user', content: 'one' },
      { author: 'bot', content: 'first' },
    ];
    const path = await scene.client.session({ model: MODELS[wire], contextWindow, messageHistory });
    expect((await turnOf(scene.client, path, route, { message: 'two' })).sent).toEqual({
      messages: 3,
      omittedMessages: 1,
    });
    expect(JSON.stringify(scene.asked)).toMatch(/one.*first.*two/);
    expect(JSON.stringify(scene.asked)).not.toContain('Welcome');
    expect((await turnOf(scene.client, path, route, { message: 'three' })).state).toBe('COMMITTED');
    expect(JSON.stringify(scene.asked)).toMatch(/two.*Fine.*three/);
    expect(JSON.stringify(scene.asked)).not.toContain('first');
    expect(await scene.client.history(path)).toHaveLength(7);
  });

  it.each(['gemini-3-pro', 'chat-bison'])(
    'the strict emulator takes a long talk through a small window (%s)',
    async (model) => {
      await using scene = await startScene();
      const { client } = scene;
      const hasTools = model !== 'chat-bison';
      const tools = hasTools ? { tools: [{ functionDeclarations: [{ name: 'f' }] }] } : {};
      for (const limit of [{ maxMessages: 5 }, { maxTokens: 60 }]) {
        const path = await client.session({ model, contextWindow: { ...limit, onOverflow: 'trimOldest' }, ...tools });
        for (let round = 0; round < 8; round += 1) {
          const isCall = hasTools && round % 3 === 1;
          const toolConfig = isCall ? { toolConfig: { functionCallingConfig: { mode: 'ANY' } } } : {};
          const { json } = await client.post(`${path}/messages`, { message: `Question ${round}?`, ...toolConfig });
          expect(json.state, JSON.stringify(json)).toBe('COMMITTED');
          if (!isCall) continue;
          const parts = [{ functionResponse: { name: 'f', response: { round } } }];
          expect((await client.post(`${path}/messages`, { parts })).json.state).toBe('COMMITTED');
        }
        const { turns = [] } = { turns: (await client.get(`${path}/messages?order=desc&pageSize=1`)).json.messages };
        const { sent } = (await client.get(`${path}/turns/${turns[0].turnId}`)).json;
        expect(sent.omittedMessages).toBeGreaterThan(4);
      }
    },
  );
});
