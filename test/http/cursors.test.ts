// Where a viewer may begin, and what is refused: cursors, addresses and methods of the events of a turn.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../support/client.ts';
import { type HeldTurns, resume, startTurns, watch } from '../support/held-turns.ts';
import { RawEvents } from '../support/raw-events.ts';

let turns: HeldTurns;
beforeAll(async () => {
  turns = await startTurns();
});
afterAll(() => turns[Symbol.asyncDispose]());

describe('a cursor', () => {
  test('in the header wins over the one in the address', async () => {
    const { path, frames, ids } = await turns.finished();
    const [first = '', second = ''] = ids;
    const events = await watch(turns.replicas.there, path, {
      after: first,
      headers: { 'last-event-id': second },
    }).done();
    expect(events.frames).toEqual(frames.slice(2));
    const refused = await watch(turns.replicas.there, path, { after: first, headers: { 'last-event-id': 'x' } }).done();
    expect(refused.status).toBe(400);
  });

  test.each([
    ['a word', 'latest'],
    ['a number', '17'],
    ['a negative number', '1--1'],
    ['a number that is none', '1-0x1'],
    ['a fraction', '1-1.5'],
    ['a list', '1-1, 1-2'],
    ['a number beyond any', '1-4294967296'],
    ['an epoch beyond any', '9999999999999999-1'],
    ['a very long number', `1-${'1'.repeat(50)}`],
    ['something very long', 'x'.repeat(5000)],
  ])('that is %s is a 400, running or over, in either place', async (_what, id) => {
    const { path, release } = await turns.held(`bad${_what.replaceAll(' ', '')}`);
    for (const client of turns.both) {
      expect((await resume(client, path, id).done()).status).toBe(400);
      expect((await watch(client, path, { after: id }).done()).status).toBe(400);
    }
    release();
    await turns.replicas.here.post(`${path}/turns/it/cancel`);
    const { status, text } = await resume(turns.replicas.there, path, id).done();
    expect([status, JSON.parse(text).code]).toEqual([400, 'invalid_argument']);
  });

  test('of another turn is a 400, whatever becomes of the log', async () => {
    const { path, ids } = await turns.finished();
    const other = await turns.finished();
    for (const client of turns.both) expect((await resume(client, path, other.ids[0] ?? '').done()).status).toBe(400);
    await turns.replicas.here.post(`${path}/messages`, { message: 'second', turnId: 'second' });
    const url = `${turns.replicas.there.url}${path}/turns/second/events`;
    expect((await new RawEvents(url, { after: ids[0] ?? '' }).done()).status).toBe(400);
  });

  test('before the first event is the beginning; one beyond the last is the end', async () => {
    const { path, frames, ids } = await turns.finished();
    const [epoch] = (ids[0] ?? '').split('-');
    for (const client of turns.both) {
      expect((await resume(client, path, `${epoch}-0`).done()).frames).toEqual(frames);
      expect((await resume(client, path, `${epoch}-4294967295`).done()).status).toBe(204);
    }
  });
});

describe('the address of the events', () => {
  test('is a 404 for what does not exist', async () => {
    const { path } = await turns.finished();
    for (const [address, code] of [
      [`${path}/turns/nobody/events`, 'turn_not_found'],
      ['/v1/sessions/nobody/turns/it/events', 'session_not_found'],
    ] as const) {
      for (const client of turns.both) {
        const { status, text } = await new RawEvents(`${client.url}${address}`).done();
        expect([status, JSON.parse(text).code]).toEqual([404, code]);
      }
    }
  });

  test('is a 406 for who reads JSON alone, a 405 for HEAD and POST, a 400 for another query', async () => {
    const { path } = await turns.finished();
    const url = `${turns.replicas.there.url}${path}/turns/it/events`;
    expect((await send(url, 'GET', { headers: { accept: 'application/json' } })).json).toMatchObject({
      status: 406,
      code: 'not_acceptable',
    });
    expect((await send(url, 'GET', { headers: { accept: '*/*' } })).status).toBe(200);
    expect((await send(url, 'HEAD')).status).toBe(405);
    expect((await send(url, 'POST')).status).toBe(405);
    expect((await send(`${url}?afterwards=1`, 'GET')).status).toBe(400);
  });
});
