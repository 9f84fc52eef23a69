// A turn is activity of its session: who is told of its end finds the session in front, wherever he asks.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { answer } from '../support/upstream.ts';

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas((response, call) => answer(response, call, 'yes'));
});
afterAll(() => replicas[Symbol.asyncDispose]());

test('the session of a turn is the first of the list, on either replica, as soon as the turn is answered', async () => {
  const { here, there } = replicas;
  const [older, newer] = [await here.session({}), await here.session({})];
  const first = async (client: typeof here) => `/v1/sessions/${(await client.get('/v1/sessions')).json.sessions[0].id}`;
  for (const path of [older, newer, older, newer, older]) {
    await here.post(`${path}/messages`, { message: 'hello' });
    expect([await first(there), await first(here)]).toEqual([path, path]);
  }
});
