// Which models speak which wire, and where.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';
import { errorIn, post, user, VERTEX } from './ask.ts';
import { predict, said, tensor } from './predict-ask.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

const WHY = { messages: said('Why?') };
const contents = [user('Why?')];

describe('a model', () => {
  test('of any other name speaks both wires, as tuned models may', async () => {
    for (const name of ['emulator', 'tuned-gemini', 'my-chat-bison']) {
      expect((await predict(emulator.address, WHY, {}, name)).status).toBe(200);
      expect((await post(emulator.address, `${VERTEX}/${name}:generateContent`, { contents })).status).toBe(200);
    }
    for (const id of ['gemini-tuned', 'chat-bison-tuned', '1']) {
      const path = `/v1/projects/p/locations/l/endpoints/${id}`;
      expect((await post(emulator.address, `${path}:predict`, { instances: [WHY] })).status).toBe(200);
      expect((await post(emulator.address, `${path}:generateContent`, { contents })).status).toBe(200);
    }
  });

  test.each(['predict', 'serverStreamingPredict', 'countTokens'])(
    'of the Gemini family is refused by %s as Vertex AI refuses it',
    async (method) => {
      const body = method === 'serverStreamingPredict' ? { inputs: [tensor(WHY)] } : { instances: [WHY] };
      const answer = await post(emulator.address, `${VERTEX}/gemini-2.0-flash:${method}?alt=sse`, body);
      expect([answer.status, errorIn(answer).status]).toEqual([400, 'FAILED_PRECONDITION']);
      expect(errorIn(answer).message).toContain('Gemini cannot be accessed through Vertex Predict/RawPredict API.');
    },
  );

  test.each(['generateContent', 'streamGenerateContent', 'countTokens'])(
    'of the chat-bison family is refused by %s when it is asked as Gemini is',
    async (method) => {
      const answer = await post(emulator.address, `${VERTEX}/chat-bison@002:${method}?alt=sse`, { contents });
      expect([answer.status, errorIn(answer).status, errorIn(answer).message]).toEqual([
        400,
        'FAILED_PRECONDITION',
        `chat-bison@002 is not supported in the ${method} API.`,
      ]);
    },
  );

  test('of the legacy wire is not on the Developer API', async () => {
    const path = '/v1beta/models/chat-bison';
    const statusOf = async (method: string, body: object) =>
      (await post(emulator.address, `${path}:${method}`, body)).status;
    expect(await statusOf('predict', { instances: [WHY] })).toBe(404);
    expect(await statusOf('serverStreamingPredict', { inputs: [tensor(WHY)] })).toBe(404);
    expect(await statusOf('generateContent', { contents })).toBe(404);
    const counted = await post(emulator.address, '/v1beta/models/m:countTokens', { instances: [WHY] });
    expect([counted.status, errorIn(counted).message]).toEqual([400, expect.stringContaining('"instances"')]);
  });

  test('is found on every path of Vertex AI', async () => {
    for (const path of ['/v1/publishers/google/models', '/v1beta1/projects/p/locations/l/endpoints', '/v1/endpoints'])
      expect((await post(emulator.address, `${path}/m:predict`, { instances: [WHY] })).status).toBe(200);
  });
});
