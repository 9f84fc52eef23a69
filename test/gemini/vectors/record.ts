// Records what Google's own client (@google/genai) sends to Vertex AI for the conversation that the legacy vectors are
// of: `node test/gemini/vectors/record.ts`. What that client has no notion of is said here: examples are turns before the
// history, overrides are merged into the session's settings, and inline context is part of the system instruction.

import { readFileSync, writeFileSync } from 'node:fs';
import {
  type Content,
  type GenerateContentConfig,
  type GenerationConfig,
  GoogleGenAI,
  type GoogleGenAIOptions,
  type Tool,
} from '@google/genai';
import { OAuth2Client } from 'google-auth-library';
import { asJson, asStream, event, said, startUpstream } from '../../support/upstream.ts';

interface Grounding {
  readonly type: string;
  readonly dataStoreId?: string;
  readonly location?: string;
  readonly project?: string;
  readonly inlineContext?: string;
}

interface Fields extends Record<string, unknown> {
  readonly context?: string;
  readonly examples?: readonly { readonly input: string; readonly output: string }[];
  readonly messageHistory?: readonly { readonly author: string; readonly content: string }[];
  readonly message?: string;
  readonly groundingSource?: Grounding;
}

interface Step {
  readonly name: string;
  readonly isStream?: boolean;
  readonly isNewSession?: boolean;
  readonly send: Fields;
}

const PROJECT = 'test-project';
const QUESTION_TO_COUNT = 'Are my favorite movies based on a book series?';
const AN_HOUR_MS = 3_600_000;

const folder = new URL('./', import.meta.url);
const conversation = JSON.parse(
  readFileSync(new URL('../../predict/vectors/conversation.json', import.meta.url), 'utf8'),
) as { readonly session: Fields; readonly sends: readonly Step[] };

const upstream = await startUpstream((response, { url }) => {
  const text = `Chat response ${upstream.calls.length}`;
  if (url.includes(':countTokens')) return asJson(response, 200, { totalTokens: 5 });
  if (url.includes(':streamGenerateContent')) return asStream(response).end(event(said(text, 'STOP')));
  return asJson(response, 200, said(text, 'STOP'));
});
const authClient = new OAuth2Client();
authClient.setCredentials({ access_token: 'a-token', expiry_date: Date.now() + AN_HOUR_MS });
const google = new GoogleGenAI({
  vertexai: true,
  project: PROJECT,
  location: 'us-central1',
  apiVersion: 'v1',
  googleAuthOptions: { authClient } as unknown as NonNullable<GoogleGenAIOptions['googleAuthOptions']>,
  httpOptions: { baseUrl: upstream.url },
});

const turn = (role: string, text: string): Content => ({ role, parts: [{ text }] });

function beforeIt({ examples = [], messageHistory = [] }: Fields): Content[] {
  const shots = examples.flatMap(({ input, output }) => [turn('user', input), turn('model', output)]);
  return [...shots, ...messageHistory.map(({ author, content }) => turn(author === 'bot' ? 'model' : 'user', content))];
}

function toolOf(source: Grounding | undefined): Tool[] {
  if (source?.type === 'webSearch') return [{ googleSearch: {} }];
  if (source?.type !== 'vertexAiSearch') return [];
  const place = `projects/${source.project ?? PROJECT}/locations/${source.location}/collections/default_collection`;
  return [{ retrieval: { vertexAiSearch: { datastore: `${place}/dataStores/${source.dataStoreId}` } } }];
}

function configOf(fields: Fields): GenerateContentConfig {
  const { context, examples: _e, messageHistory: _h, message: _m, groundingSource, ...settings } = fields;
  const inline = groundingSource?.inlineContext;
  const texts = [context, inline && `Answer from the following context.\n\n${inline}`].filter(
    (text) => text !== undefined,
  );
  const tools = toolOf(groundingSource);
  return {
    ...settings,
    ...(texts.length > 0 ? { systemInstruction: { role: 'user', parts: texts.map((text) => ({ text })) } } : {}),
    ...(tools.length > 0 ? { tools } : {}),
  };
}

function write(name: string): void {
  const { generationConfig, ...body } = JSON.parse(upstream.calls.at(-1)?.body ?? '');
  // That client writes an empty one where nothing is set.
  if (Object.keys(generationConfig ?? {}).length > 0) Object.assign(body, { generationConfig });
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(body, null, 2)}\n`);
}

const model = 'gemini-2.5-pro';
const chatWith = (fields: Fields) => google.chats.create({ model, history: beforeIt(fields) });
const chat = chatWith(conversation.session);
for (const { name, send, isStream = false, isNewSession = false } of conversation.sends) {
  const asked = isNewSession ? chatWith({}) : chat;
  const config = configOf(isNewSession ? send : { ...conversation.session, ...send });
  const message = send.message ?? '';
  if (isStream) for await (const _chunk of await asked.sendMessageStream({ message, config }));
  else await asked.sendMessage({ message, config });
  write(name);
}
const { systemInstruction, ...settings } = configOf(conversation.session);
await google.models.countTokens({
  model,
  contents: [...beforeIt(conversation.session), turn('user', QUESTION_TO_COUNT)],
  config: { ...(systemInstruction && { systemInstruction }), generationConfig: settings as GenerationConfig },
});
write('14-count-tokens');
await upstream.close();
