// Redis over TLS, with the certificate of a private authority: what is trusted works, what is not is never spoken to.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, startAuthority } from '../support/certificates.ts';
import { freeClusterPort, freePort } from '../support/free-port.ts';
import { startGuarded } from '../support/guarded-process.ts';
import { startTurns, watch } from '../support/held-turns.ts';
import { RedisServer } from '../support/redis-server.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';

type Variables = Readonly<Record<string, string>>;

let authority: Authority;
let stranger: Authority;
let redis: RedisServer;
let port: number;

beforeAll(async () => {
  [authority, stranger] = await Promise.all([startAuthority(), startAuthority()]);
  ({ redis, port } = await startTls(['DNS:localhost']));
});
afterAll(async () => {
  await redis.stop();
  await Promise.all([authority, stranger].map((each) => each[Symbol.asyncDispose]()));
});

/** Its other port, without TLS, is the tests' own. */
async function startTls(
  names: readonly string[],
  { tlsPort, args: own = [] }: { readonly tlsPort?: number; readonly args?: readonly string[] } = {},
): Promise<{ readonly redis: RedisServer; readonly port: number }> {
  const { certFile, keyFile } = await authority.issue(...names);
  const port = tlsPort ?? (await freePort());
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', authority.caFile];
  const args = ['--tls-port', String(port), ...files, '--tls-auth-clients', 'no', ...own];
  return { redis: await RedisServer.start({ args }), port };
}

test('the service sends, streams and watches over TLS, on both replicas', async () => {
  await using turns = await startTurns({
    REDIS_URL: `rediss://localhost:${port}`,
    REDIS_TLS_CA_FILE: authority.caFile,
  });
  const { here, there } = turns.replicas;
  const held = await turns.held('one');
  const far = watch(there, held.path);
  await until('it is seen on the other replica', () => far.frames.length > 1);
  held.release();
  expect((await far.done()).frames.at(-1)).toContain('turn.committed');
  expect((await here.post(`${held.path}/messages`, { message: 'hello' })).json.state).toBe('COMMITTED');
  expect((await there.get(`${held.path}/messages`)).json.messages).toHaveLength(4);
});

test('REDIS_TLS=true is the same as rediss://, with the certificate’s address instead of a name', async () => {
  const byAddress = await startTls(['IP:127.0.0.1']);
  await using scene = await startScene({
    REDIS_URL: `redis://127.0.0.1:${byAddress.port}`,
    ...{ REDIS_TLS: 'true', REDIS_TLS_CA_FILE: authority.caFile },
  });
  await until('the service is ready', async () => (await scene.client.get('/readyz')).status === 200);
  await scene.client.session();
  await byAddress.redis.stop();
});

test.each<[string, () => Variables, string]>([
  ['an authority that nobody has named', () => ({}), 'SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  [
    'another authority than the one that was named',
    () => ({ REDIS_TLS_CA_FILE: stranger.caFile }),
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|CERT_SIGNATURE_FAILURE',
  ],
  [
    'another host than the one that was asked for',
    () => ({ REDIS_TLS_CA_FILE: authority.caFile, REDIS_URL: `rediss://127.0.0.1:${port}` }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ],
])('a certificate of %s keeps the service from being ready, and the log names it', async (_whose, variables, code) => {
  const REDIS_KEY_PREFIX = uniquePrefix();
  await using scene = await startScene({ REDIS_URL: `rediss://localhost:${port}`, REDIS_KEY_PREFIX, ...variables() });
  const { client, service } = scene;
  const said = () => service.logged().find(({ msg }) => msg === 'redis connection');
  await until('the log has named it', said);
  expect(said()?.code).toMatch(new RegExp(`^(${code})$`));
  expect((await client.get('/livez')).status).toBe(200);
  expect(await client.get('/readyz')).toMatchObject({ status: 503, json: { code: 'store_unavailable' } });
  expect(await client.post('/v1/sessions', { id: 'x' })).toMatchObject({ status: 503 });
  const plain = redis.client();
  expect(await plain.keys(`${REDIS_KEY_PREFIX}:*`)).toEqual([]);
  plain.disconnect();
});

describe('of several servers', () => {
  async function sends(variables: Variables): Promise<void> {
    await using scene = await startScene({ REDIS_TLS_CA_FILE: authority.caFile, ...variables });
    const { client } = scene;
    await until('the service is ready', async () => (await client.get('/readyz')).status === 200);
    const stream = await client.stream(await client.session(), { message: 'hello' }).done();
    expect(stream.terminal?.event).toBe('turn.committed');
  }

  test('a cluster is found and spoken to over TLS', async () => {
    const tlsPort = await freeClusterPort();
    // Its nodes go by their names, as those of hosted clusters do: no address is in their certificates.
    const byName = ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'];
    const args = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-announce-ip', '127.0.0.1', ...byName];
    const cluster = await startTls(['DNS:localhost'], { tlsPort, args });
    const plain = cluster.redis.client();
    await plain.cluster('ADDSLOTSRANGE', 0, 16_383);
    plain.disconnect();
    await sends({ REDIS_CLUSTER_NODES: `localhost:${tlsPort}` });
    await cluster.redis.stop();
  });

  test('sentinels, and the master that they name, are spoken to over TLS', async () => {
    // Sentinels name masters by address, unless they are told otherwise.
    const names = ['DNS:localhost', 'IP:127.0.0.1'];
    const master = await startTls(names);
    const folder = await mkdtemp(join(tmpdir(), 'csp-test-sentinel-'));
    const [file, tlsPort] = [join(folder, 'sentinel.conf'), await freePort()];
    const { certFile, keyFile } = await authority.issue(...names);
    const files = [`tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`, `tls-ca-cert-file ${authority.caFile}`];
    const tls = [`tls-port ${tlsPort}`, 'tls-auth-clients no', 'tls-replication yes', ...files];
    const lines = ['port 0', ...tls, `dir ${folder}`, `sentinel monitor m 127.0.0.1 ${master.port} 1`];
    await writeFile(file, `${lines.join('\n')}\n`);
    const sentinel = await startGuarded('redis-server', [file, '--sentinel'], folder);
    await sends({ REDIS_SENTINELS: `localhost:${tlsPort}`, REDIS_SENTINEL_MASTER: 'm' });
    await sentinel.end();
    await master.redis.stop();
    await rm(folder, { recursive: true, force: true });
  });
});
