// Both wires to a model, told apart by nothing but the model's name: the same words said on each of them, asked for in
// either way, and the whole service in front.

import { Client } from './client.ts';
import { type RunningService, startService } from './service.ts';
import { asJson, asStream, event, type Script, startUpstream, type Upstream, type UpstreamCall } from './upstream.ts';

export const WIRES = ['gemini', 'predict'] as const;
export type Wire = (typeof WIRES)[number];

/** A model that speaks the wire. */
export const MODELS = { gemini: 'gemini-2.5-pro', predict: 'chat-bison@001' } as const satisfies Record<Wire, string>;

/** A message is sent, or its answer streamed. */
export const ROUTES = ['messages', 'messages/stream'] as const;
export type RouteName = (typeof ROUTES)[number];

export const WIRES_AND_ROUTES = WIRES.flatMap((wire) => ROUTES.map((route): [Wire, RouteName] => [wire, route]));

export function isStreamed({ url }: UpstreamCall): boolean {
  return /:(?:streamGenerateContent|serverStreamingPredict)\b/.test(url);
}

export function wireOf({ url }: UpstreamCall): Wire {
  return /:(?:predict|serverStreamingPredict)\b/.test(url) ? 'predict' : 'gemini';
}

/** A value as the streams of the legacy wire wrap it; written down from the reference, to check the service's own. */
export function tensorOf(value: unknown): object {
  if (typeof value === 'string') return { stringVal: [value] };
  if (typeof value === 'boolean') return { boolVal: [value] };
  if (typeof value === 'number') return Number.isInteger(value) ? { intVal: [value] } : { floatVal: [value] };
  if (Array.isArray(value)) return { listVal: value.map(tensorOf) };
  if (value === null || value === undefined) return {};
  return { structVal: Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, tensorOf(inner)])) };
}

/** A chunk of the legacy wire: a prediction in a Tensor. */
export function output(prediction: object): object {
  return { outputs: [tensorOf(prediction)] };
}

/** One text per candidate and chunk: `said[chunk][candidate]`. An empty one says nothing of its candidate. */
export type Said = readonly (readonly string[])[];

function geminiCandidates(texts: readonly string[], finishReason?: string): readonly object[] {
  return texts.map((text, index) => ({
    index,
    content: { role: 'model', ...(text === '' ? {} : { parts: [{ text }] }) },
    ...(finishReason === undefined ? {} : { finishReason }),
  }));
}

function prediction(texts: readonly string[]): object {
  return {
    candidates: texts.map((content) => ({ author: '1', content })),
    safetyAttributes: texts.map(() => ({ blocked: false, categories: null, scores: null })),
  };
}

/** The words of each candidate in full. */
export function wholeTexts(said: Said): readonly string[] {
  const [first = []] = said;
  return first.map((_, index) => said.map((texts) => texts[index] ?? '').join(''));
}

/** Says the same on any wire and in either way of asking; every candidate finishes well. */
export function says(said: Said): Script {
  return (response, call) => {
    const isGemini = wireOf(call) === 'gemini';
    if (!isStreamed(call)) {
      const whole = wholeTexts(said);
      return asJson(
        response,
        200,
        isGemini ? { candidates: geminiCandidates(whole, 'STOP') } : { predictions: [prediction(whole)] },
      );
    }
    const chunks = said.map((texts, index) => {
      if (!isGemini) return output(prediction(texts));
      return { candidates: geminiCandidates(texts, index === said.length - 1 ? 'STOP' : undefined) };
    });
    return asStream(response).end(chunks.map(event).join(''));
  };
}

/** One prediction of the legacy wire, in either way of asking. */
export function predicts(value: object, beside: object = {}): Script {
  return (response, call) => {
    if (isStreamed(call)) return asStream(response).end(event(output(value)));
    return asJson(response, 200, { predictions: [value], ...beside });
  };
}

/** One response of the Gemini wire, in either way of asking. */
export function responds(value: object): Script {
  return (response, call) => {
    if (isStreamed(call)) return asStream(response).end(event(value));
    return asJson(response, 200, value);
  };
}

export interface WireScene extends AsyncDisposable {
  readonly client: Client;
  readonly service: RunningService;
  readonly upstream: Upstream;
  /** The newest request that the model got. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into bodies of every shape.
  readonly asked: any;
}

/** The service of the project `test-project`, in front of a script. */
export async function startWires(script: Script, env: Readonly<Record<string, string>> = {}): Promise<WireScene> {
  const upstream = await startUpstream(script);
  const service = await startService({
    VERTEX_AI_EMULATOR_HOST: upstream.address,
    GOOGLE_CLOUD_PROJECT: 'test-project',
    GOOGLE_CLOUD_LOCATION: 'us-central1',
    UPSTREAM_RETRIES_MAX: '0',
    ...env,
  });
  return {
    client: new Client(service.url),
    service,
    upstream,
    get asked() {
      return JSON.parse(upstream.calls.at(-1)?.body ?? 'null');
    },
    async [Symbol.asyncDispose]() {
      await service.close();
      await upstream.close();
    },
  };
}

/** Sends on either route, and answers with the turn as everybody can read it afterwards. */
export async function turnOf(client: Client, path: string, route: RouteName, body: object) {
  const answer =
    route === 'messages' ? await client.post(`${path}/messages`, body) : await client.stream(path, body).done();
  const headers = 'headers' in answer ? answer.headers : answer.response?.headers;
  const turnId = headers?.['turn-id'];
  if (turnId === undefined) throw new Error(`no turn: ${JSON.stringify(answer.json)}`);
  return (await client.get(`${path}/turns/${turnId}`)).json;
}
