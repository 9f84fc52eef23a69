// From a domain request to the body of `generateContent`. Source: the Gemini API reference, version v1 of Vertex AI and
// v1beta of the Developer API; field names in camelCase.

import { type Content, isSendable, type Part, textPart } from '../../chat/content.ts';
import type { GroundingSource, ModelRequest } from '../../chat/language-model.ts';
import type { GenerationSettings } from '../../chat/settings.ts';

interface WireContent {
  readonly role: 'user' | 'model';
  readonly parts: readonly Part[];
}

export type WireRequest = Readonly<Record<string, unknown>>;

export interface RequestContext {
  /** For data stores that name no project of their own. */
  readonly project?: string;
}

/** Settings that live in `generationConfig` under their own name; the others stand beside it. */
const GENERATION_CONFIG = [
  'temperature',
  'topK',
  'topP',
  'maxOutputTokens',
  'stopSequences',
  'seed',
  'presencePenalty',
  'frequencyPenalty',
  'responseMimeType',
  'responseJsonSchema',
  'thinkingConfig',
] as const satisfies readonly (keyof GenerationSettings)[];

const BESIDE = ['safetySettings', 'toolConfig', 'labels'] as const satisfies readonly (keyof GenerationSettings)[];

export function wireRequest(request: ModelRequest, context: RequestContext): WireRequest {
  const { settings, candidateCount, groundingSource } = request;
  const system = systemTexts(request).map(textPart);
  const generationConfig = {
    ...pick(settings, GENERATION_CONFIG),
    ...(candidateCount === undefined ? {} : { candidateCount }),
  };
  const tools = [...(settings.tools ?? []), ...groundingTools(groundingSource, context)];
  return {
    contents: wireContents(request),
    ...(system.length > 0 ? { systemInstruction: { role: 'user', parts: system } } : {}),
    ...(Object.keys(generationConfig).length > 0 ? { generationConfig } : {}),
    ...pick(settings, BESIDE),
    ...(tools.length > 0 ? { tools } : {}),
  };
}

/** Inline context has no field on this wire: it becomes part of the system instruction, of this request only. */
function systemTexts({ context, groundingSource }: ModelRequest): readonly string[] {
  const inline = groundingSource?.type === 'inlineContext' ? groundingSource.inlineContext : '';
  const texts = [context ?? ''];
  if (inline !== '') texts.push(`Answer from the following context.\n\n${inline}`);
  return texts.filter((text) => text !== '');
}

/** Examples are few-shot turns before the history. Neighbours of one author become one content. */
function wireContents({ examples, contents }: ModelRequest): readonly WireContent[] {
  const shots = examples.flatMap(({ input, output }): Content[] => [
    { author: 'user', parts: [textPart(input)] },
    { author: 'bot', parts: [textPart(output)] },
  ]);
  const merged: { role: 'user' | 'model'; parts: Part[] }[] = [];
  for (const { author, parts } of [...shots, ...contents]) {
    const sendable = parts.filter(isSendable);
    if (sendable.length === 0) continue;
    const role = author === 'user' ? 'user' : 'model';
    const last = merged.at(-1);
    if (last?.role === role) last.parts.push(...sendable);
    else merged.push({ role, parts: [...sendable] });
  }
  // The wire begins with a user; a history may begin with the bot. White space alone is refused by no backend.
  return merged[0]?.role === 'model' ? [{ role: 'user', parts: [textPart(' ')] }, ...merged] : merged;
}

function groundingTools(source: GroundingSource | undefined, context: RequestContext): readonly unknown[] {
  switch (source?.type) {
    case 'webSearch':
      return [{ googleSearch: {} }];
    case 'vertexAiSearch': {
      const project = source.project ?? context.project ?? '-';
      const store = `collections/default_collection/dataStores/${source.dataStoreId}`;
      const datastore = `projects/${project}/locations/${source.location}/${store}`;
      return [{ retrieval: { vertexAiSearch: { datastore } } }];
    }
    case 'inlineContext':
    case undefined:
      return [];
    default:
      return source satisfies never;
  }
}

function pick(settings: GenerationSettings, names: readonly (keyof GenerationSettings)[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]));
}
