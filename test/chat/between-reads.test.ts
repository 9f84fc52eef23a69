// What others do to a session between the reads of an operation and its write: it is done to the session as it is then, or
// refused for what is so then, and never for what it was in between.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatSession } from '../../src/chat/chat-session.ts';
import type { Idempotency } from '../../src/chat/claim.ts';
import { EarlierTurn } from '../../src/chat/earlier-turn.ts';
import type { Send, SendAgain } from '../../src/chat/next-request.ts';
import { turnNotFound } from '../../src/chat/refusals.ts';
import { RunningTurn } from '../../src/chat/running-turn.ts';
import type { SessionStore } from '../../src/chat/session-store.ts';
import { WaitingTurn } from '../../src/chat/waiting-turn.ts';
import { ask, ChatScene } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';

const CALLS = ['read', 'readTurn', 'readQuestion', 'readMessages', 'begin', 'update', 'importMessages'] as const;
type Call = (typeof CALLS)[number];

let scene: ChatScene;
let session: ChatSession;
/** The same session on another replica. */
let other: ChatSession;
/** What happens before this call of the store, once or every time. */
let trap: { readonly call: Call; readonly act: () => Promise<unknown>; readonly isKept: boolean } | undefined;

beforeEach(async () => {
  trap = undefined;
  patches = 0;
  scene = new ChatScene({ storeAsSeen: trapped });
  session = await scene.session();
  other = new ChatScene({}, scene).open();
});
afterEach(async () => {
  await settle();
  expect(scene.running.count).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

function trapped(store: SessionStore): Partial<SessionStore> {
  const member =
    (name: Call) =>
    async (...args: readonly unknown[]) => {
      const sprung = trap?.call === name ? trap : undefined;
      if (sprung && !sprung.isKept) trap = undefined;
      await sprung?.act();
      return Reflect.apply(store[name], store, args);
    };
  return Object.fromEntries(CALLS.map((name) => [name, member(name)]));
}

function justBefore(call: Call, act: () => Promise<unknown>, isKept = false): void {
  trap = { call, act, isKept };
}

let patches = 0;
function patch(): Promise<unknown> {
  patches += 1;
  return other.update({ displayName: `${patches}` });
}

const again = (turnId: string, given: Partial<Send> = {}): SendAgain => ({ again: turnId, overrides: {}, ...given });

/** Says the end of what is asked now, and waits for it. */
async function answer(turn: RunningTurn, texts: readonly string[] = ['answer']): Promise<void> {
  const candidates = texts.map((text, index) => ({ index, parts: [{ text }], finishReason: 'STOP' }));
  scene.model.call.say({ candidates });
  scene.model.call.end();
  await turn.ended;
}

async function begun(send: Send | SendAgain): Promise<RunningTurn> {
  const turn = await session.sendMessageStreaming(send);
  if (!(turn instanceof RunningTurn)) throw new Error('it did not begin');
  return turn;
}

const contents = async () => (await scene.history()).map(({ content }) => content);

describe('a regeneration of a running turn', () => {
  it.each(['read', 'readTurn', 'readQuestion', 'readMessages', 'begin'] as const)(
    'whose turn commits before its %s replaces the answer',
    async (call) => {
      await answer(await begun(ask('first')));
      const running = await begun(ask('second', { turnId: 'running' }));
      justBefore(call, () => answer(running, ['old']));
      // Before what is read of a committed turn alone there is nothing to come.
      if (call === 'readMessages') await trap?.act();
      const turn = await begun(again('running'));
      await answer(turn, ['new']);
      expect(await contents()).toEqual(['first', 'answer', 'second', 'new']);
      expect(await scene.storedTurn('running')).toMatchObject({ superseded: true });
      expect(await turn.ended).toMatchObject({ regenerates: 'running', sent: { messages: 3 } });
    },
  );

  it.each(['read', 'readTurn', 'readQuestion', 'begin'] as const)(
    'whose turn fails before its %s asks its question',
    async (call) => {
      const running = await begun(ask('first', { turnId: 'running' }));
      justBefore(call, async () => {
        scene.model.call.fail(new Error('away'));
        await running.ended;
      });
      await answer(await begun(again('running')), ['new']);
      expect(await contents()).toEqual(['first', 'new']);
    },
  );

  it('that waits is done when the turn commits before its begin', async () => {
    const running = await begun(ask('first', { turnId: 'running' }));
    const waiting = await session.sendMessageStreaming(again('running', { onBusy: 'enqueue' }));
    if (!(waiting instanceof WaitingTurn)) throw new Error('it does not wait');
    await settle();
    justBefore('readQuestion', () => answer(running, ['old']));
    await scene.clock.advance(5000);
    const turn = await waiting.begun;
    if (!turn) throw new Error(`it did not begin: ${JSON.stringify(await waiting.ended)}`);
    await answer(turn, ['new']);
    expect(await contents()).toEqual(['first', 'new']);
  });
});

describe('a regeneration', () => {
  it('replaces the answer that was chosen meanwhile', async () => {
    await answer(await begun(ask('first', { turnId: 'it' })), ['zero', 'one']);
    justBefore('readMessages', () => other.choose({ turnId: 'it', candidate: 1, ifVersion: undefined }));
    await answer(await begun(again('it')), ['new']);
    expect(await contents()).toEqual(['first', 'new']);
  });

  it.each(['readTurn', 'readMessages', 'begin'] as const)(
    'is refused when another turn commits before its %s',
    async (call) => {
      await answer(await begun(ask('first', { turnId: 'it' })));
      justBefore(call, async () => answer(await begun(ask('second'))));
      await expect(session.sendMessage(again('it'))).rejects.toMatchObject({ code: 'not_latest_turn' });
      expect(await contents()).toHaveLength(4);
    },
  );

  it.each(['readTurn', 'readMessages', 'begin'] as const)(
    'with a key whose twin has run before its %s is what that has made',
    async (call) => {
      await answer(await begun(ask('first', { turnId: 'it' })));
      const keyed = again('it', { idempotency: { key: 'k', fingerprint: 'f' } });
      justBefore(call, async () => answer(await begun({ ...keyed, turnId: 'twin' }), ['new']));
      const sent = await session.sendMessageStreaming(keyed);
      expect(sent.turnId).toBe('twin');
      expect(sent).toBeInstanceOf(EarlierTurn);
      expect(await contents()).toEqual(['first', 'new']);
    },
  );

  it('of one that was to replace a turn which the ledger has let go is refused: its question could be there twice', async () => {
    await answer(await begun(ask('first', { turnId: 'it' })));
    const failed = await begun(again('it', { turnId: 'failed' }));
    scene.model.call.fail(new Error('away'));
    await failed.ended;
    let reads = 0;
    const isTrimmed = async () => {
      reads += 1;
      if (reads > 1) throw turnNotFound();
    };
    justBefore('readTurn', isTrimmed, true);
    await expect(session.sendMessage(again('failed'))).rejects.toMatchObject({ code: 'not_latest_turn' });
    trap = undefined;
    expect(await contents()).toEqual(['first', 'answer']);
  });

  it('that waits ends as what somebody has made of it, when it is also refused', async () => {
    await answer(await begun(ask('first', { turnId: 'it' })));
    const running = await begun(ask('second'));
    const waiting = await session.sendMessageStreaming(again('it', { onBusy: 'enqueue', turnId: 'waits' }));
    if (!(waiting instanceof WaitingTurn)) throw new Error('it does not wait');
    await settle();
    // It hears of both at once.
    justBefore('read', async () => {
      await answer(running);
      await other.cancel('waits', 'none');
    });
    await scene.clock.advance(5000);
    await settle();
    expect(await waiting.ended).toMatchObject({ state: 'CANCELLED' });
  });

  it('waits on when the session changes faster than it can be read', async () => {
    await answer(await begun(ask('first', { turnId: 'it' })));
    const running = await begun(ask('second'));
    const waiting = await session.sendMessageStreaming(again('it', { onBusy: 'enqueue' }));
    if (!(waiting instanceof WaitingTurn)) throw new Error('it does not wait');
    await settle();
    justBefore('readMessages', patch, true);
    await answer(running);
    await scene.clock.advance(5000);
    expect(patches).toBeGreaterThan(5);
    trap = undefined;
    await other.rewind({ toLength: 2 });
    await scene.clock.advance(5000);
    const turn = await waiting.begun;
    if (!turn) throw new Error('it did not begin');
    await answer(turn, ['new']);
    expect(await contents()).toEqual(['first', 'new']);
  });
});

describe('a choice', () => {
  it.each(['read', 'readTurn', 'readMessages'] as const)(
    'follows another one that comes before its %s',
    async (call) => {
      await answer(await begun(ask('first', { turnId: 'it' })), ['zero', 'one', 'two']);
      justBefore(call, () => other.choose({ turnId: 'it', candidate: 1, ifVersion: undefined }));
      const chosen = await session.choose({ turnId: 'it', candidate: 2, ifVersion: undefined });
      expect(chosen).toMatchObject({ chosenCandidate: 2, text: 'two', sessionVersion: 4 });
      expect(await contents()).toEqual(['first', 'two']);
      expect(await session.read()).toMatchObject({ version: 4 });
    },
  );
});

describe('an import', () => {
  const idempotency: Idempotency = { key: 'k', fingerprint: 'f' };
  const call = { functionCall: { name: 'f', args: {} } };
  const batch = {
    contents: [
      { author: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] },
      { author: 'bot', parts: [{ text: 'answered' }] },
    ],
    idempotency,
  } as const;

  it.each([
    ['read', undefined],
    ['read', 2],
    ['readMessages', 2],
    ['importMessages', 2],
  ] as const)(
    'that comes twice is made once, also when the first comes before the %s of the second',
    async (at, ifVersion) => {
      await session.importMessages({ contents: [{ author: 'bot', parts: [call] }], ifVersion: undefined });
      justBefore(at, () => other.importMessages({ ...batch, ifVersion }));
      expect(await session.importMessages({ ...batch, ifVersion })).toMatchObject({ version: 3, messageCount: 3 });
      const twice = session.importMessages({ ...batch, idempotency: { ...idempotency, key: 'other' }, ifVersion });
      await expect(twice).rejects.toMatchObject({ code: ifVersion ? 'version_mismatch' : 'invalid_argument' });
    },
  );

  it('is told that its key is taken by another one, rather than what is in its way', async () => {
    justBefore('read', () =>
      other.importMessages({ contents: [{ author: 'bot', parts: [call] }], ifVersion: 1, idempotency }),
    );
    const second = session.importMessages({
      ...batch,
      idempotency: { ...idempotency, fingerprint: 'g' },
      ifVersion: 1,
    });
    await expect(second).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  });
});

describe('a change', () => {
  it('is made however often others are faster, up to a limit, and is no matter of versions then', async () => {
    justBefore('update', async () => (patches < 20 ? patch() : undefined), true);
    expect(await session.update({ context: 'made' })).toMatchObject({ version: 22, context: 'made' });
    justBefore('update', patch, true);
    await expect(session.update({ context: 'never' })).rejects.toMatchObject({ code: 'overloaded', retryable: true });
    expect(patches).toBeLessThan(100);
    await expect(session.update({ context: 'never' }, 22)).rejects.toMatchObject({ code: 'version_mismatch' });
  });
});

describe('a fork', () => {
  it('is of one version, whatever happens while it is read', async () => {
    await answer(await begun(ask('first')));
    justBefore('readMessages', async () => {
      await other.rewind({ toLength: 0 });
      await other.update({ displayName: 'renamed' });
    });
    expect(await session.fork({ id: 'fork' })).toMatchObject({ messageCount: 0, displayName: 'renamed' });
  });

  it('is refused when the session never stands still', async () => {
    await answer(await begun(ask('first')));
    justBefore('readMessages', patch, true);
    await expect(session.fork({ id: 'fork' })).rejects.toMatchObject({ code: 'overloaded' });
  });
});
