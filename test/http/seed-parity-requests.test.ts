// The same conversation on both wires, compared with recorded requests: on the legacy wire with those of the class
// `ChatSession` itself, on the Gemini wire with those of Google's own client. Where the vectors come from is said in the
// README beside them.

import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { asJson } from '../support/upstream.ts';
import { isStreamed, MODELS, says, startWires, tensorOf, WIRES, type Wire } from '../support/wires.ts';

interface Step {
  readonly name: string;
  readonly isStream?: boolean;
  readonly isNewSession?: boolean;
  readonly send: { readonly message: string };
}

const read = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));
const CONVERSATION: { readonly session: object; readonly sends: readonly Step[] } = read(
  'predict/vectors/conversation.json',
);
const COUNTED = '14-count-tokens';

const vectorOf = (wire: Wire, name: string) => read(`${wire}/vectors/${name}.json`);

interface Asked {
  readonly body: unknown;
  readonly isStreamed: boolean;
  readonly url: string;
}

/** Plays the conversation; says of each send what the model was asked, and how. */
async function played(wire: Wire): Promise<ReadonlyMap<string, Asked>> {
  let answers = 0;
  await using scene = await startWires((response, call) => {
    if (call.url.endsWith(':countTokens')) return asJson(response, 200, { totalTokens: 5 });
    answers += 1;
    return says([['Chat response '], [String(answers)]])(response, call);
  });
  const { client, upstream } = scene;
  const asked = new Map<string, Asked>();
  const keep = (name: string) => {
    const call = upstream.calls.at(-1);
    if (call) asked.set(name, { body: scene.asked, isStreamed: isStreamed(call), url: decodeURIComponent(call.url) });
  };
  const chat = await client.session({ model: MODELS[wire], ...CONVERSATION.session });
  await client.post(`${chat}/count-tokens`, { message: 'Are my favorite movies based on a book series?' });
  keep(COUNTED);
  for (const { name, send, isStream, isNewSession } of CONVERSATION.sends) {
    const path = isNewSession ? await client.session({ model: MODELS[wire] }) : chat;
    if (isStream) await client.stream(path, send).done();
    else await client.post(`${path}/messages`, send);
    keep(name);
  }
  return asked;
}

describe.each(WIRES)('on the %s wire', (wire) => {
  let asked: ReadonlyMap<string, Asked>;
  beforeAll(async () => {
    asked = await played(wire);
  });

  test.each(CONVERSATION.sends)('the model is asked as recorded: $name', ({ name, isStream = false }) => {
    expect(asked.get(name)?.body).toEqual(vectorOf(wire, name));
    expect(asked.get(name)?.isStreamed).toBe(isStream);
  });

  test('tokens are counted as recorded', () => {
    expect(asked.get(COUNTED)?.body).toEqual(vectorOf(wire, COUNTED));
    expect(asked.get(COUNTED)?.url).toMatch(/:countTokens$/);
  });

  test('every request is for the model of the session, in the project and location of the service', () => {
    const urls = [...asked.values()].map(({ url }) => url.replace(/:\w+(\?alt=sse)?$/, ''));
    const place = '/v1/projects/test-project/locations/us-central1/publishers/google/models';
    expect([...new Set(urls)]).toEqual([`${place}/${MODELS[wire]}`]);
  });

  test('every recorded request is compared', () => {
    const folder = new URL(`../${wire}/vectors`, import.meta.url);
    const recorded = readdirSync(folder).filter((name) => /^\d.*\.json$/.test(name));
    const compared = [...CONVERSATION.sends.map(({ name }) => name), COUNTED].map((name) => `${name}.json`);
    expect(recorded.sort()).toEqual(compared.sort());
  });
});

describe('what a stream may ask for beyond the seed', () => {
  const send = {
    message: 'Hello',
    candidateCount: 2,
    groundingSource: { type: 'webSearch', disableAttribution: true },
  };

  test('candidateCount and groundingSource go to a predict model in Tensors', async () => {
    await using scene = await startWires(says([['A', 'B']]));
    const path = await scene.client.session({ model: MODELS.predict });
    expect((await scene.client.stream(path, send).done()).terminal?.event).toBe('turn.committed');
    const { parameters } = vectorOf('predict', '10-web-search-without-attribution');
    expect(scene.asked.parameters).toEqual(tensorOf({ candidateCount: 2, ...parameters }));
  });

  test('candidateCount and groundingSource go to a Gemini model as in a unary call', async () => {
    await using scene = await startWires(says([['A', 'B']]));
    const path = await scene.client.session({ model: MODELS.gemini });
    expect((await scene.client.stream(path, send).done()).terminal?.event).toBe('turn.committed');
    const { contents, tools } = vectorOf('gemini', '10-web-search-without-attribution');
    expect(scene.asked).toEqual({ contents, tools, generationConfig: { candidateCount: 2 } });
  });
});
