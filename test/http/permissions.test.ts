// What callers may name: refused wherever it can be named, before the model is asked, and as of now.

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';
import { answer, startUpstream } from '../support/upstream.ts';
import { says, startWires } from '../support/wires.ts';

const ENDPOINT = 'projects/own/locations/eu/endpoints/1';

function expectForbidden({ status, json }: { status: number; json: { code: string; detail: string } }, named: string) {
  expect({ status, code: json.code }).toEqual({ status: 403, code: 'forbidden' });
  expect(json.detail).toContain(named);
}

describe('MODEL_ALLOW', () => {
  const start = () => startScene({ MODEL_ALLOW: 'emulator, gemini-2.5-*' });

  it('is asked by every creation', async () => {
    await using scene = await start();
    const { client } = scene;
    for (const model of ['gemini-3-pro', ENDPOINT, 'publishers/meta/models/emulator']) {
      expectForbidden(await client.post('/v1/sessions', { model }), model);
    }
    expect((await client.get('/v1/sessions')).json.sessions).toEqual([]);
    for (const model of [undefined, 'gemini-2.5-pro', 'publishers/google/models/gemini-2.5-pro']) {
      expect((await client.post('/v1/sessions', { model })).status).toBe(201);
    }
  });

  it('is asked by a change of the model, which then changes nothing', async () => {
    await using scene = await start();
    const path = await scene.client.session({});
    expectForbidden(await scene.client.patch(path, { displayName: 'new', model: 'gemini-3-pro' }), 'gemini-3-pro');
    const { json } = await scene.client.get(path);
    expect([json.model, json.version]).toEqual(['emulator', 1]);
    expect((await scene.client.patch(path, { model: 'gemini-2.5-flash' })).json.model).toBe('gemini-2.5-flash');
  });
});

describe('MODEL_ALLOW_FILE', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'csp-test-models-'));
    file = join(folder, 'models.json');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = (lists: object | string) => writeFile(file, typeof lists === 'string' ? lists : JSON.stringify(lists));

  it('narrows what the deployment allows, for those in it and for everybody else', async () => {
    await write({ 'somebody-else': ['*'], '*': ['gemini-2.5-*', 'gemini-3-pro'] });
    await using scene = await startScene({
      MODEL_ALLOW: 'gemini-2.5-*',
      MODEL_ALLOW_FILE: file,
      DEFAULT_MODEL: 'gemini-2.5-pro',
    });
    const { client } = scene;
    expect((await client.post('/v1/sessions', { model: 'gemini-2.5-flash' })).status).toBe(201);
    expectForbidden(await client.post('/v1/sessions', { model: 'gemini-3-pro' }), 'gemini-3-pro');
  });

  it('has an owner’s list before everybody else’s; who is in neither has the deployment’s', async () => {
    await write({ anyone: ['a'], '*': ['b'] });
    await using listed = await startScene({ MODEL_ALLOW_FILE: file });
    expect((await listed.client.post('/v1/sessions', { model: 'a' })).status).toBe(201);
    expectForbidden(await listed.client.post('/v1/sessions', { model: 'b' }), 'b');
    await write({ 'somebody-else': [] });
    await using free = await startScene({ MODEL_ALLOW_FILE: file });
    expect((await free.client.post('/v1/sessions', { model: 'anything' })).status).toBe(201);
  });

  it('tells callers apart by the owner that their key belongs to', async () => {
    const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
    const keys = ['alice', 'bob', 'carol'].map((owner) => ({ owner, sha256: sha256(`key of ${owner}`) }));
    const keyFile = join(folder, 'keys.json');
    await writeFile(keyFile, JSON.stringify(keys));
    await write({ alice: ['a'], bob: ['a', 'b'], '*': [] });
    await using scene = await startScene({ AUTH: 'api-key', API_KEYS_FILE: keyFile, MODEL_ALLOW_FILE: file });
    const create = async (owner: string, model: string) => {
      return (await scene.client.post('/v1/sessions', { model }, { 'x-api-key': `key of ${owner}` })).status;
    };
    const models = ['a', 'b'];
    const statuses = await Promise.all(
      ['alice', 'bob', 'carol'].map((owner) => Promise.all(models.map((model) => create(owner, model)))),
    );
    expect(statuses).toEqual([
      [201, 403],
      [201, 201],
      [403, 403],
    ]);
  });

  it('holds for sessions that are there when it changes: no turn, no count, and all else can still be done', async () => {
    await write({});
    await using scene = await startScene({ MODEL_ALLOW_FILE: file });
    const { client, service } = scene;
    const path = await client.session({ model: 'gemini-2.5-pro' });
    const first = (await client.post(`${path}/messages`, { message: 'one', turnId: 'one' })).json;
    expect(first.state).toBe('COMMITTED');
    await write({ '*': ['gemini-3-*'] });
    const ask = (message: string) => client.post(`${path}/messages`, { message });
    await until('the change holds', async () => {
      return (await client.post('/v1/sessions', { model: 'gemini-2.5-pro' })).status === 403;
    });
    expectForbidden(await ask('two'), 'gemini-2.5-pro');
    const { version } = (await client.get(path)).json;
    const stream = await client.stream(path, { message: 'two' }).done();
    expectForbidden(stream, 'gemini-2.5-pro');
    expectForbidden(await client.post(`${path}/turns/one/regenerate`, {}), 'gemini-2.5-pro');
    expectForbidden(await client.post(`${path}/count-tokens`, {}), 'gemini-2.5-pro');
    const { turns } = (await client.get(`${path}/turns`)).json;
    expect(turns.map(({ turnId }: { turnId: string }) => turnId)).toEqual(['one']);
    const session = (await client.get(path)).json;
    expect([session.version, session.activeTurn]).toEqual([version, undefined]);
    expect((await client.patch(path, { displayName: 'mine' })).status).toBe(200);
    expect((await client.post(`${path}/fork`, {})).status).toBe(201);
    expect((await client.patch(path, { model: 'gemini-3-pro' })).status).toBe(200);
    expect((await ask('two')).json.state).toBe('COMMITTED');
    expect(service.log()).toContain('"variable":"MODEL_ALLOW_FILE"');
  });

  it('ends a turn that has waited in line while it changed, without asking the model', async () => {
    await write({});
    await using upstream = await startUpstream(async (response, call) => {
      await write({ '*': [] });
      await until('the change holds', async () => (await client.post('/v1/sessions', { model: 'm' })).status === 403);
      answer(response, call, 'late');
    });
    await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, MODEL_ALLOW_FILE: file });
    const client = new Client(service.url);
    const path = await client.session({ model: 'm' });
    const running = client.post(`${path}/messages`, { message: 'one', turnId: 'one' });
    await until('it runs', () => upstream.calls.length === 1);
    const waiting = await client.post(`${path}/messages`, { message: 'two', turnId: 'two', onBusy: 'enqueue' });
    expectForbidden(waiting, 'The model m');
    expect((await running).json.state).toBe('COMMITTED');
    expect((await client.get(`${path}/turns/two`)).json).toMatchObject({
      state: 'FAILED',
      problem: { code: 'forbidden' },
    });
    expect(upstream.calls.length).toBe(1);
  });

  it('that makes no sense any more changes nothing, and says so once', async () => {
    await write({ '*': ['a'] });
    await using scene = await startScene({ MODEL_ALLOW_FILE: file });
    const { client, service } = scene;
    const warnings = () =>
      service.logged().filter(({ level, variable }) => level === 40 && variable === 'MODEL_ALLOW_FILE');
    await write('{"*": ["a"');
    await until('it is told', () => warnings().length === 1);
    expect((await client.post('/v1/sessions', { model: 'a' })).status).toBe(201);
    expectForbidden(await client.post('/v1/sessions', { model: 'b' }), 'b');
    await write({ '*': ['b'] });
    await until('it is read again', async () => (await client.post('/v1/sessions', { model: 'b' })).status === 201);
    expect(warnings().length).toBe(1);
  });
});

describe('another project', () => {
  const store = (project: string) => `projects/${project}/locations/eu/collections/default_collection/dataStores/d`;
  const tools = (project: string) => [{ retrieval: { vertexAiSearch: { datastore: store(project) } } }];
  const search = (project?: string) => ({
    type: 'vertexAiSearch',
    dataStoreId: 'd',
    location: 'eu',
    ...(project ? { project } : {}),
  });

  it('is not reached with real credentials, by whatever it is named, and nothing is sent to the model', async () => {
    await using upstream = await startUpstream((response, call) => answer(response, call, 'never'));
    await using service = await startService({
      GOOGLE_CLOUD_PROJECT: 'own',
      GOOGLE_VERTEX_BASE_URL: upstream.url,
      DEFAULT_MODEL: 'm',
    });
    const client = new Client(service.url);
    expectForbidden(await client.post('/v1/sessions', { model: 'projects/other/locations/eu/endpoints/1' }), 'other');
    expectForbidden(await client.post('/v1/sessions', { tools: tools('other') }), 'other');
    expect((await client.post('/v1/sessions', { model: ENDPOINT, tools: tools('own') })).status).toBe(201);
    const path = await client.session({});
    expectForbidden(await client.patch(path, { model: 'projects/other/locations/eu/endpoints/1' }), 'other');
    expectForbidden(await client.patch(path, { tools: tools('other') }), 'other');
    for (const route of [`${path}/messages`, `${path}/messages/stream`]) {
      expectForbidden(await client.post(route, { message: 'a', groundingSource: search('other') }), 'other');
      expectForbidden(await client.post(route, { message: 'a', tools: tools('other') }), 'other');
      const toolConfig = { retrievalConfig: { news: store('other') } };
      expectForbidden(await client.post(route, { message: 'a', toolConfig }), 'other');
    }
    expect(upstream.calls).toEqual([]);
  });

  it('is reached when it is on PROJECT_ALLOW', async () => {
    await using scene = await startWires(says([['Found.']]), {
      PROJECT_ALLOW: 'test-project,friends',
      DEFAULT_MODEL: 'gemini-2.5-pro',
    });
    const path = await scene.client.session({});
    const ask = (groundingSource: object) => scene.client.post(`${path}/messages`, { message: 'a', groundingSource });
    expect((await ask(search('friends'))).json.state).toBe('COMMITTED');
    expect(scene.asked.tools).toEqual(tools('friends'));
    expect((await ask(search())).json.state).toBe('COMMITTED');
    expectForbidden(await ask(search('strangers')), 'strangers');
    expect(scene.upstream.calls.length).toBe(2);
  });

  it.each(['..', '-', 'a/b', 'A', 'a%2f', '.a', 'a.', ''])('named %j is no project at all', async (project) => {
    await using scene = await startScene();
    const path = await scene.client.session({});
    const groundingSource = { ...search(), project };
    const { status, json } = await scene.client.post(`${path}/messages`, { message: 'a', groundingSource });
    expect([status, json.errors?.[0]?.path]).toEqual([400, '/groundingSource/project']);
  });
});

it('a file that is named within a function response is one that has to be allowed', async () => {
  await using scene = await startScene();
  const parts = [{ functionResponse: { name: 'f', response: {}, parts: [{ file_data: { file_uri: 'gs://b/o' } }] } }];
  const at = '/parts/0/functionResponse/parts/0/file_data';
  const path = await scene.client.session({});
  expect((await scene.client.post(`${path}/messages`, { parts })).json.errors).toMatchObject([{ path: at }]);
  const called = { author: 'bot', parts: [{ functionCall: { name: 'f', args: {} } }] };
  const messages = [
    { author: 'user', content: 'a' },
    called,
    { author: 'user', parts },
    { author: 'bot', content: 'b' },
  ];
  const imported = await scene.client.post(`${path}/messages/import`, { messages });
  expect(imported.json.errors).toMatchObject([{ path: `/messages/2${at}` }]);
  const created = await scene.client.post('/v1/sessions', { messageHistory: messages });
  expect(created.json.errors).toMatchObject([{ path: `/messageHistory/2${at}` }]);
});
