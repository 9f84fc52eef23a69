// An upstream that sends elsewhere: nobody goes there, least of all with the service's credentials.

import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { answer, startUpstream } from '../support/upstream.ts';
import { ROUTES, turnOf } from '../support/wires.ts';

const STATUSES = [301, 302, 303, 307, 308];

test.each(ROUTES.flatMap((route) => STATUSES.map((status) => [route, status] as const)))(
  'a question by %s that is answered with %d is no answer, and goes to nobody else',
  async (route, status) => {
    await using elsewhere = await startUpstream((response, call) => answer(response, call, 'Got your key.'));
    await using upstream = await startUpstream((response) => {
      response.writeHead(status, { location: `${elsewhere.url}/v1beta/models/m:generateContent` }).end();
    });
    await using service = await startService({
      GEMINI_API_KEY: 'secret-key',
      GOOGLE_GEMINI_BASE_URL: upstream.url,
      DEFAULT_MODEL: 'm',
    });
    const client = new Client(service.url);
    const path = await client.session({});
    const turnId = 'it';
    if (route === 'messages') {
      expect((await client.post(`${path}/messages`, { message: 'Hi', turnId })).json).toMatchObject({
        status: 502,
        code: 'model_error',
      });
    } else await turnOf(client, path, route, { message: 'Hi', turnId });
    expect((await client.get(`${path}/turns/${turnId}`)).json).toMatchObject({
      state: 'FAILED',
      problem: { code: 'model_error' },
    });
    expect(upstream.calls.map(({ headers }) => headers['x-goog-api-key'])).toEqual(['secret-key']);
    expect(elsewhere.connections).toBe(0);
    expect(service.log()).not.toContain('secret-key');
  },
);
