// `contextWindow` and `tokenBudget` as a caller gives them: what is refused, and what is none.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';

let scene: ServiceScene;
let a: Client;
beforeAll(async () => {
  scene = await startScene();
  a = scene.client;
});
afterAll(() => scene[Symbol.asyncDispose]());

describe('what is no window', () => {
  it.each<[string, unknown, string]>([
    ['without a limit', {}, '/contextWindow'],
    ['without a limit, but with what to do', { onOverflow: 'trimOldest' }, '/contextWindow'],
    ['whose limits are null', { maxMessages: null, maxTokens: null }, '/contextWindow'],
    ['of no messages', { maxMessages: 0 }, '/contextWindow/maxMessages'],
    ['of half a token', { maxTokens: 0.5 }, '/contextWindow/maxTokens'],
    ['of a text', { maxTokens: '7' }, '/contextWindow/maxTokens'],
    ['that does something else', { maxTokens: 7, onOverflow: 'summarize' }, '/contextWindow/onOverflow'],
    ['with something else', { maxTokens: 7, minTokens: 7 }, '/contextWindow/minTokens'],
    ['but a number', 7, '/contextWindow'],
  ])('%s is a 400, at creation and as a patch', async (_what, contextWindow, field) => {
    const path = await a.session();
    for (const { status, json } of [
      await a.post('/v1/sessions', { contextWindow }),
      await a.patch(path, { contextWindow }),
    ]) {
      expect([status, json.code]).toEqual([400, 'invalid_argument']);
      expect(json.errors.map((error: { path: string }) => error.path)).toContain(field);
    }
    expect((await a.get(path)).json).not.toHaveProperty('contextWindow');
  });

  it('is also what a patch would leave of one', async () => {
    const path = await a.session({ contextWindow: { maxMessages: 3, maxTokens: null, onOverflow: null } });
    const { status, json } = await a.patch(path, { contextWindow: { maxMessages: null } });
    expect([status, json.errors]).toEqual([400, [{ path: '/contextWindow', message: expect.any(String) }]]);
    expect((await a.get(path)).json.contextWindow).toEqual({ maxMessages: 3, onOverflow: 'reject' });
  });

  it('at creation is null, which means none', async () => {
    const { status, json } = await a.post('/v1/sessions', { contextWindow: null, tokenBudget: null });
    expect([status, json.contextWindow, json.tokenBudget]).toEqual([201, undefined, undefined]);
  });
});

describe('what is no budget', () => {
  it.each([0, -1, 0.5, '7', {}, 2 ** 53])('%j is a 400, at creation and as a patch', async (tokenBudget) => {
    const path = await a.session();
    for (const { status, json } of [
      await a.post('/v1/sessions', { tokenBudget }),
      await a.patch(path, { tokenBudget }),
    ]) {
      expect([status, json.errors[0].path]).toEqual([400, '/tokenBudget']);
    }
    expect((await a.get(path)).json).not.toHaveProperty('tokenBudget');
  });
});
