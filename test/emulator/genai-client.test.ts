// Google's own client takes the emulator for the real thing, as Vertex AI and as the Gemini Developer API.
import {
  ApiError,
  type Content,
  FunctionCallingConfigMode,
  type GenerateContentResponse,
  GoogleGenAI,
  type GoogleGenAIOptions,
} from '@google/genai';
import { OAuth2Client } from 'google-auth-library';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/server.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ chunkDelayMs: 0 });
});
afterAll(() => emulator.close());

// Of the third generation: older models do not demand their signatures back.
const MODEL = 'gemini-3-pro-preview';
const AN_HOUR_MS = 3_600_000;

function vertexClient(): GoogleGenAI {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: 'a-token', expiry_date: Date.now() + AN_HOUR_MS });
  return new GoogleGenAI({
    vertexai: true,
    project: 'p',
    location: 'us-central1',
    apiVersion: 'v1',
    // The client brings a google-auth-library of its own, whose types are not those of ours.
    googleAuthOptions: { authClient } as unknown as NonNullable<GoogleGenAIOptions['googleAuthOptions']>,
    httpOptions: { baseUrl: `http://${emulator.address}` },
  });
}

function developerClient(): GoogleGenAI {
  return new GoogleGenAI({ vertexai: false, apiKey: 'a-key', httpOptions: { baseUrl: `http://${emulator.address}` } });
}

async function collect(stream: AsyncIterable<GenerateContentResponse>): Promise<readonly GenerateContentResponse[]> {
  const chunks: GenerateContentResponse[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: readonly GenerateContentResponse[]) => chunks.map((chunk) => chunk.text ?? '').join('');

const getWeather = {
  name: 'getWeather',
  parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } } },
};

describe.each([
  ['Vertex AI', vertexClient],
  ['the Developer API', developerClient],
])('the official client of %s', (_, client) => {
  test('generates, and streams the same text', async () => {
    const asked = { model: MODEL, contents: 'Why is the sky blue?' };
    const whole = await client().models.generateContent(asked);
    const chunks = await collect(await client().models.generateContentStream(asked));
    expect(whole.text).toContain('Why is the sky blue?');
    expect([textOf(chunks), chunks.length > 5]).toEqual([whole.text, true]);
    expect(chunks.at(-1)?.usageMetadata?.totalTokenCount).toBe(whole.usageMetadata?.totalTokenCount);
  });

  test('takes every setting the emulator knows', async () => {
    const config = {
      systemInstruction: 'Be brief.',
      temperature: 0,
      topP: 0.5,
      topK: 3,
      seed: 7,
      maxOutputTokens: 10,
      stopSequences: ['zzz'],
      presencePenalty: 0.1,
      safetySettings: [],
    };
    const response = await client().models.generateContent({ model: MODEL, contents: 'Why?', config });
    expect(response.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
  });

  test('chats over several turns, and the history it keeps is taken back', async () => {
    const chat = client().chats.create({ model: MODEL });
    for (const [index, message] of ['One?', 'Two? [[thoughts]]', 'Three? [[signature]]'].entries()) {
      expect((await chat.sendMessage({ message })).text).toContain(`${2 * index} earlier messages`);
    }
    // One chunk: the client keeps every chunk of a stream as a turn of its own, and turns must alternate.
    const streamed = await collect(await chat.sendMessageStream({ message: 'Four? [[chunks:1]]' }));
    expect(textOf(streamed)).toContain('6 earlier messages');
    expect((await chat.sendMessage({ message: 'Five?' })).text).toContain('8 earlier messages');
    expect(chat.getHistory(true)).toHaveLength(10);
  });

  test('is told that the turns do not alternate when it chats on after a stream of several chunks', async () => {
    const chat = client().chats.create({ model: MODEL });
    await collect(await chat.sendMessageStream({ message: 'One?' }));
    await expect(chat.sendMessage({ message: 'Two?' })).rejects.toThrow('alternate between user and model');
  });

  test('calls a function and brings its response back with the signature', async () => {
    const config = {
      tools: [{ functionDeclarations: [getWeather] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
    };
    const question: Content = { role: 'user', parts: [{ text: 'How is the weather in Zürich?' }] };
    const called = await client().models.generateContent({ model: MODEL, contents: [question], config });
    expect(called.functionCalls).toEqual([{ name: 'getWeather', args: { city: 'How is the weather in Zürich?' } }]);
    const turn = called.candidates?.[0]?.content ?? {};
    const answer: Content = {
      role: 'user',
      parts: [{ functionResponse: { name: 'getWeather', response: { celsius: 21 } } }],
    };
    const said = await client().models.generateContent({ model: MODEL, contents: [question, turn, answer], config });
    expect(said.text).toContain('getWeather answered {"celsius":21}');
    const unsigned = { role: 'model', parts: turn.parts?.map(({ thoughtSignature, ...part }) => part) ?? [] };
    const refused = client().models.generateContent({ model: MODEL, contents: [question, unsigned, answer], config });
    await expect(refused).rejects.toThrow('missing a `thought_signature`');
  });

  test('sees thoughts apart from the text', async () => {
    const config = { thinkingConfig: { includeThoughts: true } };
    const chunks = await collect(
      await client().models.generateContentStream({ model: MODEL, contents: 'Why?', config }),
    );
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    expect(parts[0]).toMatchObject({ thought: true });
    expect(parts.at(-1)?.thoughtSignature).toEqual(expect.any(String));
    expect(textOf(chunks)).not.toContain('**Reading the question**');
  });

  test('gets as many candidates as it asks for', async () => {
    const { candidates } = await client().models.generateContent({
      model: MODEL,
      contents: 'Why?',
      config: { candidateCount: 3 },
    });
    expect(candidates?.map((candidate) => candidate.index)).toEqual([0, 1, 2]);
  });

  test('goes on by itself where an answer is continued', async () => {
    const asked = { model: MODEL, contents: 'Why? [[continuation]]' };
    const chunks = await collect(await client().models.generateContentStream(asked));
    expect(textOf(chunks)).toMatch(/“Why\?”.*Before it I saw.*[?.🚀]$/su);
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP');
  });

  test('counts tokens', async () => {
    expect((await client().models.countTokens({ model: MODEL, contents: 'Why is the sky blue?' })).totalTokens).toBe(5);
  });

  test('gets an ApiError with the status', async () => {
    const error = await client()
      .models.generateContent({ model: MODEL, contents: 'Why? [[status:503]]' })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 503, message: expect.stringContaining('UNAVAILABLE') });
    const midway = client().models.generateContentStream({ model: MODEL, contents: 'Why? [[error-data]]' });
    await expect(midway.then(collect)).rejects.toMatchObject({ status: 503 });
  });
});
