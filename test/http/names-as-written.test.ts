// Names in what callers and models send are kept as they were written, whatever anybody has sent before: V8 takes an escaped
// name for another one now and then (nodejs/node#63785). Answers are looked at as texts, for the same reason.

import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { Client } from '../support/client.ts';
import { mislead, misleadingTexts } from '../support/misleading-names.ts';
import { uniquePrefix } from '../support/redis-stores.ts';
import { type RunningService, startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { asStream, startUpstream, type Upstream, type UpstreamCall } from '../support/upstream.ts';

/** In the spelling of the sender, and how this service spells it. */
const SPELLED: readonly (readonly [sent: string, told: string])[] = [
  ['"a\\"b":"1"', '"a\\"b":"1"'],
  ['"line\\nend":"2"', '"line\\nend":"2"'],
  ['"\\u00e9t\\u00e9":"3"', '"été":"3"'],
];

interface Named {
  /** The members of objects, as they are sent. */
  readonly members: readonly (readonly string[])[];
  /** A list of them. */
  readonly sent: string;
  readonly told: string;
}

let count = 0;

/** Each behind a name of its own: V8 guesses only where it knows of one way to go on. */
function newNames(): Named {
  const objects = SPELLED.map(([sent, told]) => {
    count += 1;
    const before = `"${count}th":"x"`;
    return { members: [before, sent], told: `{${before},${told}}` };
  });
  return {
    members: objects.map(({ members }) => members),
    sent: `[${objects.map(({ members }) => `{${members.join(',')}}`).join(',')}]`,
    told: `[${objects.map(({ told }) => told).join(',')}]`,
  };
}

const objectsIn = (list: string) => list.match(/\{.*?\}/g) ?? [];
const toolsOf = (list: string) =>
  `[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"p":{"enum":${list}}}}}]}]`;
const callOf = (list: string) => `{"functionCall":{"name":"f","args":{"list":${list}}}}`;
const responseOf = (list: string) => `{"functionResponse":{"name":"f","response":{"list":${list}}}}`;

/** Calls the function first, with names as escaped as anybody may write them. */
function answerTo({ body }: UpstreamCall, { sent }: Named): string {
  const part = body.includes('"functionResponse"') ? '{"text":"Fine."}' : callOf(sent);
  return `{"candidates":[{"index":0,"content":{"role":"model","parts":[${part}]},"finishReason":"STOP"}]}`;
}

describe.each([
  ['memory', () => ({})],
  ['Redis', () => ({ REDIS_URL: inject('redisUrl'), REDIS_KEY_PREFIX: uniquePrefix() })],
])('names in a session in %s', (_store, environment) => {
  let upstream: Upstream;
  let service: RunningService;
  let client: Client;
  let names: Named;
  beforeAll(async () => {
    upstream = await startUpstream((response, call) => {
      const json = answerTo(call, names);
      if (call.isStream) asStream(response).end(`data: ${json}\r\n\r\n`);
      else response.writeHead(200, { 'content-type': 'application/json' }).end(json);
    });
    service = await startService({
      VERTEX_AI_EMULATOR_HOST: upstream.address,
      DEFAULT_MODEL: 'm',
      ...environment(),
    });
    client = new Client(service.url);
    await until('the service is ready', async () => (await client.get('/readyz')).status === 200);
  });
  afterAll(async () => {
    await service.close();
    await upstream.close();
  });

  // Another caller's bodies, and texts that any library in the process may have parsed.
  beforeEach(async () => {
    names = newNames();
    for (const text of names.members.flatMap(misleadingTexts)) {
      expect((await client.post('/v1/sessions', `{"metadata":${text},"tools":${toolsOf(`[${text}]`)}}`)).status).toBe(
        201,
      );
    }
    names.members.forEach(mislead);
  });

  const create = async (body: string) => {
    const { status, headers, text } = await client.post('/v1/sessions', body);
    expect(status).toBe(201);
    return { path: String(headers.location), text };
  };

  test('of metadata are those that were sent', async () => {
    for (const [place, members] of names.members.entries()) {
      const { path, text } = await create(`{"metadata":{${members.join(',')}}}`);
      const expected = `"metadata":${objectsIn(names.told)[place]}`;
      expect(text).toContain(expected);
      expect((await client.get(path)).text).toContain(expected);
      await until('it is in the list', async () => (await client.get('/v1/sessions')).text.includes(expected));
      const more = await client.patch(path, '{"metadata":{"more":"m"}}');
      expect(more.text).toContain(`${expected.slice(0, -1)},"more":"m"}`);
      const [before = '', escaped = ''] = members;
      const removed = await client.patch(path, `{"metadata":{${before},${escaped.slice(0, -3)}null}}`);
      expect(removed.text).toContain(`"metadata":{${before},"more":"m"}`);
    }
  });

  test.each(['', '/stream'])(
    'of tools, and of calls and responses of functions, are those that were given (messages%s)',
    async (way) => {
      const { path, text } = await create(`{"tools":${toolsOf(names.sent)}}`);
      expect(text).toContain(toolsOf(names.told));
      const messages = `${path}/messages`;
      const called = await client.post(`${messages}${way}`, '{"message":"Call it."}');
      expect(called.text).toContain(callOf(names.told));
      expect(upstream.calls.at(-1)?.body).toContain(toolsOf(names.told));
      const answered = await client.post(`${messages}${way}`, `{"parts":[${responseOf(names.sent)}]}`);
      expect(answered.text).toContain('Fine.');
      const { body = '' } = upstream.calls.at(-1) ?? {};
      for (const given of [toolsOf(names.told), callOf(names.told), responseOf(names.told)])
        expect(body).toContain(given);
      const history = (await client.get(messages)).text;
      for (const given of [callOf(names.told), responseOf(names.told)]) expect(history).toContain(given);
      expect((await client.get(`${path}/turns`)).text).toContain(callOf(names.told));
    },
  );

  test('of the same body make it the same request, and other names another one', async () => {
    const { path } = await create('{}');
    const ask = (tools: string) =>
      client.post(`${path}/messages`, `{"message":"Hi","tools":${toolsOf(tools)}}`, { 'idempotency-key': 'k' });
    const first = await ask(names.sent);
    expect(first.status).toBe(200);
    const again = await ask(names.told);
    expect([again.status, again.headers['turn-id']]).toEqual([200, first.headers['turn-id']]);
    // What V8 takes the first one for.
    expect((await ask(names.sent.replaceAll('\\u00e9t\\u00e9', '\\\\u0'))).status).toBe(422);
  });
});
