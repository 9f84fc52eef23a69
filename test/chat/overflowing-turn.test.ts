// A send whose history has become another one between the look at it and the claim: its window overflows, or it has been made
// before.

import { afterEach, expect, it } from 'vitest';
import type { SessionStore } from '../../src/chat/session-store.ts';
import { ask, ChatScene, eventsOf, typesOf } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';

let scene: ChatScene;

/** A session whose window takes a question and nothing else. */
async function start(storeAsSeen: (store: SessionStore) => Partial<SessionStore>) {
  scene = new ChatScene({ storeAsSeen, knownBytesMax: 0 });
  await scene.sessions.create('alice', { id: 's', contextWindow: { maxMessages: 1 } });
  return scene.open();
}

afterEach(async () => {
  await settle();
  expect(scene.running.count).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

async function answered(turn: { readonly ended: Promise<unknown> }) {
  scene.model.call.text('Hello', 'STOP');
  scene.model.call.end();
  return turn.ended;
}

it('fails as a turn when somebody was faster, and the model is not asked', async () => {
  const session = await start(() => ({ readMessages: async () => [] }));
  await answered(await session.sendMessageStreaming(ask('one')));
  const calls = scene.model.calls.length;
  const turn = await session.sendMessageStreaming(ask('two'));
  const ended = await turn.ended;
  expect(ended).toMatchObject({ state: 'FAILED', problem: { code: 'history_full' }, candidates: [] });
  expect(ended.sent).toEqual({ messages: 0, omittedMessages: 0 });
  expect(typesOf(eventsOf(turn))).toEqual(['turn.started', 'turn.failed']);
  expect(await scene.storedTurn(turn.turnId)).toEqual(ended);
  expect([scene.model.calls.length, turn.hasAnswer]).toEqual([calls, false]);
  expect(scene.facts.at(-1)).toMatchObject({ chunks: 0, error: { code: 'history_full' } });
  expect(await session.read()).toMatchObject({ messageCount: 2, version: 2 });
});

it('joins the turn that the same send has begun meanwhile, instead of being refused', async () => {
  const idempotency = { key: 'k', fingerprint: 'same' };
  const session = await start(() => ({ recall: async () => undefined }));
  const first = await session.sendMessageStreaming({ ...ask('one'), idempotency });
  await answered(first as { readonly ended: Promise<unknown> });
  const again = await session.sendMessageStreaming({ ...ask('one'), idempotency });
  expect(again.turnId).toBe(first.turnId);
  await expect(session.sendMessageStreaming(ask('two'))).rejects.toMatchObject({ code: 'history_full' });
});
