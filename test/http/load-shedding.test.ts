// A replica that has more to do than it can refuses new turns, and nothing else.

import { describe, expect, inject, it } from 'vitest';
import { Client } from '../support/client.ts';
import { startReplicas } from '../support/replicas.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { answer, asStream, event, said, startUpstream } from '../support/upstream.ts';

/** Every process needs more memory than that. */
const OVERLOADED = { SHED_RSS_BYTES: '1' };

describe('a replica under pressure', () => {
  it('refuses new turns of every kind, and lets those that run be watched, resumed, cancelled and read', async () => {
    const gate = Promise.withResolvers<void>();
    await using replicas = await startReplicas(async (response, call) => {
      if (!call.isStream) return answer(response, call, 'Hi');
      asStream(response).write(event(said('first ')));
      await Promise.race([gate.promise, call.aborted]);
      response.end(event(said('last', 'STOP')));
    });
    const { here } = replicas;
    const pressed = await startService({
      REDIS_URL: inject('redisUrl'),
      REDIS_KEY_PREFIX: replicas.prefix,
      VERTEX_AI_EMULATOR_HOST: replicas.upstream.address,
      DEFAULT_MODEL: 'm',
      DRAIN_MS: '0',
      ...OVERLOADED,
    });
    const client = new Client(pressed.url);
    const path = await here.session();
    const key = { 'idempotency-key': 'k' };
    const stream = here.stream(path, { message: 'Hi', turnId: 'it' }, key);
    await stream.until('a delta', ({ events }) => events.length > 1);
    const idle = await here.session();
    const refused = await until(
      'it is under pressure',
      async () => {
        const answered = await client.post(`${idle}/messages`, { message: 'Hi' });
        return answered.status === 503 ? answered : undefined;
      },
      { deadlineMs: 15_000 },
    );
    expect(refused.json).toMatchObject({ code: 'overloaded', retryable: true });
    expect(refused.headers['retry-after']).toBe('2');
    const turns = (await here.get(`${idle}/turns`)).json.turns;
    for (const send of [
      client.post(`${idle}/messages`, { message: 'Hi' }, { 'idempotency-key': 'new' }),
      client.post(`${idle}/messages/stream`, { message: 'Hi' }),
      client.post(`${idle}/turns/${turns[0]?.turnId ?? 'none'}/regenerate`, {}),
      client.post(`${idle}/turns/${turns[0]?.turnId ?? 'none'}/regenerate/stream`, {}),
    ]) {
      expect((await send).json).toMatchObject({ status: 503, code: 'overloaded' });
    }
    expect((await here.get(`${idle}/turns`)).json.turns).toEqual(turns);

    const again = client.stream(path, { message: 'Hi', turnId: 'it' }, key);
    const watching = client.events(`${path}/turns/it/events`);
    const following = client.events(`${path}/events`);
    for (const view of [again, watching, following]) {
      await view.until('a delta', ({ events }) => events.length > 1);
    }
    for (const probe of ['/livez', '/readyz']) expect((await client.get(probe)).status).toBe(200);
    expect((await client.get(`${path}/turns/it`)).json.state).toBe('RUNNING');
    expect((await client.post('/v1/sessions', {})).status).toBe(201);
    expect((await client.patch(path, { displayName: 'still' })).status).toBe(200);
    expect((await client.post(`${path}/turns/it/cancel`)).json.state).toBe('CANCELLED');
    for (const view of [again, watching]) expect((await view.done()).terminal?.event).toBe('turn.cancelled');
    following.hangUp();
    await pressed.close();
  });

  it('is one only when that lasts: a pause, as there is one at every start, is no load', async () => {
    await using upstream = await startUpstream((response, call) => answer(response, call, 'Hi'));
    const variables = {
      VERTEX_AI_EMULATOR_HOST: upstream.address,
      DEFAULT_MODEL: 'm',
      SHED_EVENT_LOOP_DELAY_MS: '300',
    };
    await using service = await startService(variables);
    const client = new Client(service.url);
    const path = await client.session();
    standStill(2500);
    // The pause has been measured by now, and has been looked at.
    const since = performance.now();
    await until('it is over', async () => {
      expect((await client.post(`${path}/messages`, { message: 'Hi' })).status).toBe(200);
      return performance.now() - since > 2500;
    });
  });
});

/** Nothing else is done by this process meanwhile, the service in it included. */
function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
