// What may be asked of a session, and who gets it when several ask.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChatError } from '../../src/chat/errors.ts';
import { ask, ChatScene, eventsOf, LEASE_MS, typesOf } from '../support/chat-scene.ts';
import { settle } from '../support/manual-clock.ts';

let scene: ChatScene;

beforeEach(() => {
  scene = new ChatScene();
});
afterEach(async () => {
  await settle();
  expect(scene.running.count).toBe(0);
  expect(scene.clock.pending).toBe(0);
});

/** One whole turn. */
async function say(question: string, answer: string): Promise<void> {
  const turn = await scene.open().sendMessageStreaming(ask(question));
  scene.model.call.text(answer, 'STOP');
  scene.model.call.end();
  await turn.ended;
}

describe('a send', () => {
  it('is refused while another turn runs, with the name of that turn', async () => {
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi', { turnId: 'first' }));
    await expect(session.sendMessage(ask('Me too'))).rejects.toMatchObject({
      code: 'turn_in_progress',
      details: { activeTurnId: 'first' },
    });
    await expect(new ChatScene({}, scene).open().sendMessage(ask('Me too'))).rejects.toMatchObject({
      code: 'turn_in_progress',
    });
    turn.cancel();
    await turn.ended;
  });

  it('is refused with a turn id that is taken, another version, or a full history', async () => {
    scene = new ChatScene({ chatLimits: { historyMessagesMax: 2 } });
    const session = await scene.session();
    await say('Hi', 'Hello');
    await expect(session.sendMessage(ask('x', { ifVersion: 1 }))).rejects.toMatchObject({
      code: 'version_mismatch',
      details: { currentVersion: 2 },
    });
    await expect(session.sendMessage(ask('x'))).rejects.toMatchObject({ code: 'history_full' });
    expect(scene.model.calls).toHaveLength(1);
  });

  it('must answer exactly the calls that the model has made', async () => {
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi'));
    const parts = [{ functionCall: { name: 'weather', args: {} } }];
    scene.model.call.say({ candidates: [{ index: 0, parts, finishReason: 'STOP' }] });
    scene.model.call.end();
    await turn.ended;
    await expect(session.sendMessage(ask('x'))).rejects.toMatchObject({ code: 'invalid_argument' });
    const response = { functionResponse: { name: 'weather', response: { sun: true } } };
    const next = await session.sendMessageStreaming(ask('', { parts: [response] }));
    expect(scene.model.call.request.contents.map((content) => content.parts[0])).toEqual([
      { text: 'Hi' },
      parts[0],
      response,
    ]);
    next.cancel();
    await next.ended;
  });

  it('begins nothing when the model can never answer it, or it holds nothing', async () => {
    const session = await scene.session();
    scene.model.refusal = new ChatError('unsupported_by_model', 'no images');
    await expect(session.sendMessage(ask('x'))).rejects.toMatchObject({ code: 'unsupported_by_model' });
    scene.model.refusal = undefined;
    await expect(session.sendMessage(ask(''))).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await session.read()).not.toHaveProperty('activeTurnId');
    expect(scene.model.calls).toEqual([]);
  });

  it('takes the session from a producer that is dead, and ends its turn for it', async () => {
    const dead = new ChatScene();
    const lost = await (await dead.session()).sendMessageStreaming(ask('Hi'));
    scene = new ChatScene({}, dead);
    // The process of the first replica stands still: nothing of it is done while time passes.
    const now = dead.clock.now() + LEASE_MS;
    dead.clock.now = () => now;
    const turn = await scene.open().sendMessageStreaming(ask('Again'));
    expect(turn.epoch).toBeGreaterThan(lost.epoch);
    expect(await scene.open().turn(lost.turnId)).toMatchObject({
      state: 'FAILED',
      problem: { code: 'producer_lost', retryable: true },
    });
    // The zombie wakes up, and would like to commit.
    dead.model.call.text('Hello', 'STOP');
    dead.model.call.end();
    expect(await lost.ended).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost' } });
    expect(await scene.history()).toEqual([]);
    scene.model.call.text('Hello again', 'STOP');
    scene.model.call.end();
    await turn.ended;
    expect((await scene.history()).map(({ content }) => content)).toEqual(['Again', 'Hello again']);
  });

  it('replaces a turn of this very process that was taken for dead', async () => {
    const session = await scene.session();
    const first = await session.sendMessageStreaming(ask('Hi'));
    await scene.clock.advance(0);
    const now = scene.clock.now() + LEASE_MS;
    scene.clock.now = () => now;
    const second = await session.sendMessageStreaming(ask('Again'));
    expect(await first.ended).toMatchObject({ state: 'FAILED', problem: { code: 'producer_lost' } });
    expect(typesOf(eventsOf(first)).at(-1)).toBe('turn.failed');
    expect(scene.running.find(session.key)).toBe(second);
    scene.model.call.text('Hello', 'STOP');
    scene.model.call.end();
    expect((await second.ended).state).toBe('COMMITTED');
  });
});

describe('a turn whose producer is dead', () => {
  it.each(['the session', 'the turn'])('is ended by whoever reads %s', async (what) => {
    const dead = new ChatScene();
    const lost = await (await dead.session()).sendMessageStreaming(ask('Hi'));
    scene = new ChatScene({}, dead);
    const session = scene.open();
    expect((await session.read()).activeTurnId).toBe(lost.turnId);
    const now = dead.clock.now() + LEASE_MS;
    dead.clock.now = () => now;
    if (what === 'the session') expect(await session.read()).not.toHaveProperty('activeTurnId');
    else
      expect(await session.turn(lost.turnId)).toMatchObject({ state: 'FAILED', endTime: new Date(now).toISOString() });
    expect((await scene.store.read(session.key)).running).toBeUndefined();
    dead.model.call.end();
    await lost.ended;
    expect(dead.clock.pending).toBe(0);
  });
});

describe('a change', () => {
  it('that changes nothing makes no version', async () => {
    const session = await scene.session();
    expect((await session.update({ displayName: 'x' })).version).toBe(2);
    expect((await session.update({ displayName: 'x' })).version).toBe(2);
    expect((await session.update({})).version).toBe(2);
  });

  it('is made of the newest version when two come at the same time', async () => {
    const session = await scene.session();
    await Promise.all([session.update({ displayName: 'x' }), session.update({ context: 'y' })]);
    expect(await session.read()).toMatchObject({ version: 3, displayName: 'x', context: 'y' });
  });

  it('is refused when it wants another version', async () => {
    const session = await scene.session();
    await session.update({ displayName: 'x' }, 1);
    await expect(session.update({ displayName: 'y' }, 1)).rejects.toMatchObject({
      code: 'version_mismatch',
      details: { currentVersion: 2 },
    });
  });

  it('does not reach the turn that runs', async () => {
    const session = await scene.session();
    const turn = await session.sendMessageStreaming(ask('Hi'));
    await session.update({ model: 'another', temperature: 1 });
    scene.model.call.text('Hello', 'STOP');
    scene.model.call.end();
    expect((await turn.ended).model).toBe('test-model');
    const next = await session.sendMessageStreaming(ask('Hi'));
    expect(scene.model.call.request).toMatchObject({ model: 'another', settings: { temperature: 1 } });
    next.cancel();
    await next.ended;
  });

  it('restores the default lifetime with null, and cannot remove the model', async () => {
    const session = await scene.session();
    expect((await session.update({ ttl: 60 })).ttl).toBe(60);
    expect((await session.update({ ttl: null })).ttl).toBe(604_800);
    await expect(session.update({ model: null })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('that makes the configuration too large is refused', async () => {
    const session = await scene.session();
    await expect(session.update({ context: 'x'.repeat(20_000) })).rejects.toMatchObject({ code: 'payload_too_large' });
    expect((await session.read()).version).toBe(1);
  });
});

describe('the history', () => {
  it('comes in pages from either end, and a page stays the same while it grows', async () => {
    const session = await scene.session();
    for (const name of ['a', 'b', 'c']) await say(name, name.toUpperCase());
    const walk = async (order: 'asc' | 'desc', pageSize: number) => {
      const pages: string[] = [];
      let pageToken: string | undefined;
      do {
        const page = await session.messageHistory({ order, pageSize, ...(pageToken ? { pageToken } : {}) });
        pages.push(page.items.map(({ content }) => content).join(''));
        pageToken = page.nextPageToken;
      } while (pageToken);
      return pages;
    };
    expect(await walk('asc', 4)).toEqual(['aAbB', 'cC']);
    expect(await walk('desc', 4)).toEqual(['CcBb', 'Aa']);
    expect(await walk('asc', 6)).toEqual(['aAbBcC']);
    expect(await walk('desc', 6)).toEqual(['CcBbAa']);
    const first = await session.messageHistory({ order: 'desc', pageSize: 2 });
    await say('d', 'D');
    const second = await session.messageHistory({ order: 'desc', pageSize: 2, pageToken: first.nextPageToken ?? '' });
    expect(second.items.map(({ content }) => content)).toEqual(['B', 'b']);
  });

  it.each(['', 'asc', 'asc-', 'asc--1', 'asc-1.5', 'desc-2', 'asc-9999999999', 'ASC-1'])(
    'refuses the page token "%s"',
    async (pageToken) => {
      const session = await scene.session();
      await expect(session.messageHistory({ order: 'asc', pageSize: 2, pageToken })).rejects.toMatchObject({
        code: 'invalid_page_token',
      });
    },
  );

  it('is the one that was given at creation', async () => {
    const messageHistory = [
      { author: 'user', parts: [{ text: 'Hi' }] },
      { author: 'bot', parts: [{ text: 'Hello' }] },
    ] as const;
    await scene.sessions.create('alice', { id: 's', messageHistory });
    const turn = await scene.open().sendMessageStreaming(ask('And now?'));
    expect(scene.model.call.request.contents.map(({ parts }) => parts[0]?.text)).toEqual(['Hi', 'Hello', 'And now?']);
    turn.cancel();
    await turn.ended;
  });
});
