// The same bytes through nginx: two programs read them, and agree, or the second one refuses what the first has let through.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { type ServiceScene, startScene } from '../support/service-scene.ts';
import { SHAPES } from '../support/smuggling-shapes.ts';
import { BareConnection } from '../support/sse.ts';
import { until } from '../support/until.ts';

let scene: ServiceScene;
let nginx: Nginx;
let client: Client;
beforeAll(async () => {
  scene = await startScene();
  nginx = await startNginx([scene.service.url]);
  client = new Client(nginx.url);
});
afterAll(async () => {
  await nginx[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** By each of the two. */
const passedOn = async () => (await nginx.exchanges()).filter(({ to }) => to[0] !== '-').length;
const received = () => scene.service.logged().filter(({ msg }) => msg === 'request').length;

test.each(Object.entries(SHAPES))(
  '%s: the service reads no more requests in it than nginx, and nobody reads what was meant for others',
  async (_what, bytes) => {
    const path = await client.session({});
    const connection = new BareConnection(nginx.url);
    await connection.write(Buffer.from(bytes, 'latin1'));
    await connection.until('something is answered', ({ text, ending }) => ending !== undefined || text.length > 0);
    // Over the connections that nginx keeps to the service: an answer too many would be read here.
    for (let i = 0; i < 5; i += 1) {
      expect(`/v1/sessions/${(await client.get(path)).json.id}`).toBe(path);
      expect((await client.get('/livez')).json).toEqual({ status: 'ok' });
    }
    connection.hangUp();
    await until('nginx knows of every request', async () => received() <= (await passedOn()));
  },
);

test('a request that nginx does not know of would be seen', async () => {
  await scene.client.get('/livez');
  await until('it is received', async () => received() > (await passedOn()));
});
