// From a domain request to the legacy chat wire: one instance and its parameters, field for field as the ChatSession of
// google-cloud-aiplatform 1.92 sends them (vertexai/language_models/_language_models.py, `_prepare_request`).

import { isSendable, type Part, visibleText } from '../../chat/content.ts';
import { ChatError } from '../../chat/errors.ts';
import type { GroundingSource, ModelRequest } from '../../chat/language-model.ts';
import type { GenerationSettings } from '../../chat/settings.ts';
import { dataStoreName } from '../upstream/data-store.ts';
import { type Tensor, toTensor } from './tensor.ts';

export interface PredictContext {
  /** For data stores that name no project of their own. */
  readonly project: string | undefined;
}

interface WireMessage {
  readonly author: 'user' | 'bot';
  readonly content: string;
}

export interface Instance {
  readonly context?: string;
  readonly examples?: readonly object[];
  readonly messages: readonly WireMessage[];
}

export type Parameters = Readonly<Record<string, unknown>>;

/** White space alone is taken where nothing is refused. */
const MINIMAL_USER: WireMessage = { author: 'user', content: ' ' };

export function instanceOf({ context, examples, contents }: ModelRequest): Instance {
  const messages: WireMessage[] = [];
  for (const { author, parts } of contents) {
    const content = textOf(parts);
    const last = messages.at(-1);
    // The wire wants authors in turn; the parts of neighbours are joined elsewhere, here there is only their text.
    if (last?.author === author) messages.splice(-1, 1, { author, content: `${last.content}\n${content}` });
    else messages.push({ author, content });
  }
  // An even number of messages is refused (googleapis/python-aiplatform#2875); a history may begin with the bot.
  if (messages[0]?.author !== 'user') messages.unshift(MINIMAL_USER);
  return {
    ...(context ? { context } : {}),
    ...(examples.length > 0
      ? { examples: examples.map(({ input, output }) => ({ input: { content: input }, output: { content: output } })) }
      : {}),
    messages,
  };
}

/** `maxDecodeSteps` is what the SDK says for chat, whatever the documentation of the REST API calls it. */
export function parametersOf(request: ModelRequest, context: PredictContext): Parameters {
  const { settings, candidateCount, groundingSource } = request;
  const { temperature, maxOutputTokens, topP, topK, stopSequences = [] } = settings;
  const { seed, presencePenalty, frequencyPenalty } = settings;
  const all = {
    temperature,
    maxDecodeSteps: maxOutputTokens,
    topP,
    topK,
    stopSequences: stopSequences.length > 0 ? stopSequences : undefined,
    candidateCount,
    groundingConfig: groundingSource && groundingConfig(groundingSource, context),
    seed,
    presencePenalty,
    frequencyPenalty,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function groundingConfig(source: GroundingSource, { project }: PredictContext): object {
  switch (source.type) {
    case 'webSearch':
      return { sources: [{ type: 'WEB' }], disableAttribution: source.disableAttribution ?? false };
    case 'vertexAiSearch': {
      const vertexAiSearchDatastore = dataStoreName(source, project);
      return {
        sources: [{ type: 'VERTEX_AI_SEARCH', vertexAiSearchDatastore }],
        disableAttribution: source.disableAttribution ?? false,
      };
    }
    case 'inlineContext':
      return { sources: [{ type: 'INLINE', inlineContext: source.inlineContext }] };
    default:
      return source satisfies never;
  }
}

/** The body of `:predict`. */
export function predictBody(request: ModelRequest, context: PredictContext): object {
  return { instances: [instanceOf(request)], parameters: parametersOf(request, context) };
}

/** The body of `:serverStreamingPredict`; as in the SDK, no parameters at all where there are none. */
export function streamingBody(request: ModelRequest, context: PredictContext): Readonly<Record<string, unknown>> {
  const parameters = parametersOf(request, context);
  const inputs: readonly Tensor[] = [toTensor(instanceOf(request))];
  return Object.keys(parameters).length > 0 ? { inputs, parameters: toTensor(parameters) } : { inputs };
}

/** Settings for which this wire has no place. */
const UNKNOWN_SETTINGS = [
  'responseMimeType',
  'responseJsonSchema',
  'thinkingConfig',
  'safetySettings',
  'tools',
  'toolConfig',
  'labels',
] as const satisfies readonly (keyof GenerationSettings)[];

/** Refuses, with `unsupported_by_model`, what would have to be left out silently. */
export function checkSupported({ settings, contents }: ModelRequest): void {
  const name = UNKNOWN_SETTINGS.find((setting) => settings[setting] !== undefined);
  if (name) throw new ChatError('unsupported_by_model', `A model of the legacy wire does not support ${name}.`);
  for (const { parts } of contents) textOf(parts);
}

/** The visible text; what the model once thought is not said again. */
function textOf(parts: readonly Part[]): string {
  for (const part of parts) {
    if (typeof part.text === 'string' || !isSendable(part)) continue;
    const kind = Object.keys(part).find((name) => !name.startsWith('thought'));
    throw new ChatError(
      'unsupported_by_model',
      `A model of the legacy wire takes only text, but a message has ${kind}.`,
    );
  }
  return visibleText(parts);
}
