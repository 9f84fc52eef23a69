// Answers and questions with values that nobody would send in good faith: one turn fails, nobody else notices.

import { describe, expect, it } from 'vitest';
import { Client } from '../support/client.ts';
import { startService } from '../support/service.ts';
import { asJson, asStream, event, type Script, startUpstream } from '../support/upstream.ts';

/** An object that cannot be made a text of. */
const ODD = { toString: 1, valueOf: 1 };

function says(value: object): Script {
  return (response, call) => {
    if (call.isStream) asStream(response).end(event(value));
    else asJson(response, 200, value);
  };
}

/** The state of the turn, how its session is afterwards, and whether the next send is answered. */
async function sendTo(script: Script, way: 'unary' | 'stream', question: object = { message: 'Hi' }) {
  let isFirst = true;
  await using upstream = await startUpstream((response, call) => {
    const fine = { candidates: [{ content: { parts: [{ text: 'Fine.' }] }, finishReason: 'STOP' }] };
    const next = isFirst ? script : says(fine);
    isFirst = false;
    return next(response, call);
  });
  await using service = await startService({ VERTEX_AI_EMULATOR_HOST: upstream.address, UPSTREAM_RETRIES_MAX: '0' });
  const client = new Client(service.url);
  const path = await client.session({ model: 'm' });
  const body =
    way === 'stream'
      ? (await client.stream(path, question).done()).terminal?.data
      : (await client.post(`${path}/messages`, question)).json;
  const session = (await client.get(path)).json;
  const history = await client.history(path);
  const log = service.log();
  return { body, session, history, log };
}

describe.each(['unary', 'stream'] as const)('an answer (%s)', (way) => {
  it('that calls a function with a name that is none is kept as it is, and its session is not blocked', async () => {
    const parts = [{ functionCall: { name: ODD, args: {} } }];
    const { body, session, history } = await sendTo(
      says({ candidates: [{ content: { parts }, finishReason: 'STOP' }] }),
      way,
    );
    expect(body).toMatchObject({ state: 'COMMITTED' });
    expect(session.activeTurn).toBeUndefined();
    expect(history).toHaveLength(2);
  });

  it('with a count of tokens beyond all counting is committed, and not counted', async () => {
    const usageMetadata = { promptTokenCount: 1e19, candidatesTokenCount: 3, totalTokenCount: 1e300 };
    const { body, session } = await sendTo(
      says({ candidates: [{ content: { parts: [{ text: 'a' }] }, finishReason: 'STOP' }], usageMetadata }),
      way,
    );
    expect(body).toMatchObject({ state: 'COMMITTED', usage: { promptTokens: 0, outputTokens: 3, totalTokens: 3 } });
    expect(session.usage).toMatchObject({ outputTokens: 3, totalTokens: 3 });
  });

  it.each(['groundingMetadata', 'safetyRatings'])(
    'nested thousands of levels deep in %s ends its turn',
    async (field) => {
      // As bytes: it could not be written from a value.
      const text = `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","${field}":@}]}`;
      const deep = text.replace('@', `${'['.repeat(5000)}${']'.repeat(5000)}`);
      const script: Script = (response, call) => {
        if (call.isStream) asStream(response).end(`data: ${deep}\n\n`);
        else response.writeHead(200, { 'content-type': 'application/json' }).end(deep);
      };
      const { body, session, history } = await sendTo(script, way);
      expect(way === 'stream' ? body?.problem?.code : body.code).toBe(
        way === 'stream' ? undefined : 'model_protocol_error',
      );
      expect(session.activeTurn).toBeUndefined();
      expect(history).toEqual([]);
    },
  );
});

describe('a question', () => {
  it.each<[string, object, string]>([
    ['an odd name', { parts: [{ functionResponse: { name: ODD, response: {} } }] }, '/parts/0/functionResponse/name'],
    ['no name', { parts: [{ functionResponse: { response: {} } }] }, '/parts/0/functionResponse/name'],
    ['a response that is none', { parts: [{ functionResponse: 'f' }] }, '/parts/0/functionResponse/name'],
  ])('with a function response of %s is refused', async (_what, question, path) => {
    const { body } = await sendTo(says({}), 'unary', question);
    expect(body).toMatchObject({ code: 'invalid_argument', errors: [{ path }] });
  });

  it('nor can a history be brought along that calls what has no name', async () => {
    await using service = await startService();
    const messageHistory = [
      { author: 'user', content: 'a' },
      { author: 'bot', parts: [{ functionCall: { name: ODD } }] },
    ];
    const { status, json } = await new Client(service.url).post('/v1/sessions', { model: 'm', messageHistory });
    expect({ status, path: json.errors?.[0]?.path }).toEqual({
      status: 400,
      path: '/messageHistory/1/parts/0/functionCall/name',
    });
  });
});
