// The fields each API documents for a request. What is not here is refused, so that a client cannot send its own fields for years unnoticed.
import type { Shape } from '../read-message.ts';
import type { Api } from '../route.ts';

const PART: Shape = {
  text: 'string',
  thought: 'boolean',
  thoughtSignature: 'string',
  inlineData: { mimeType: 'string', data: 'string', displayName: 'string' },
  fileData: { mimeType: 'string', fileUri: 'string', displayName: 'string' },
  functionCall: { id: 'string', name: 'string', args: 'opaque', partialArgs: 'opaque', willContinue: 'boolean' },
  functionResponse: {
    id: 'string',
    name: 'string',
    response: 'opaque',
    parts: 'opaque',
    willContinue: 'boolean',
    scheduling: 'string',
  },
  executableCode: 'opaque',
  codeExecutionResult: 'opaque',
  audioTranscription: 'opaque',
  videoMetadata: 'opaque',
  mediaResolution: 'opaque',
  mediaProcessing: 'opaque',
  speechMetadata: 'opaque',
};

const FUNCTION_DECLARATION: Shape = {
  name: 'string',
  description: 'string',
  behavior: 'string',
  parameters: 'opaque',
  parametersJsonSchema: 'opaque',
  response: 'opaque',
  responseJsonSchema: 'opaque',
};

const TOOL: Shape = {
  functionDeclarations: [FUNCTION_DECLARATION],
  googleSearch: 'opaque',
  googleSearchRetrieval: 'opaque',
  googleMaps: 'opaque',
  codeExecution: 'opaque',
  computerUse: 'opaque',
  urlContext: 'opaque',
  mcpServers: 'opaque',
};

const TOOL_CONFIG: Shape = {
  functionCallingConfig: {
    mode: 'string',
    allowedFunctionNames: 'strings',
    streamFunctionCallArguments: 'boolean',
  },
  retrievalConfig: 'opaque',
  includeServerSideToolInvocations: 'boolean',
};

const GENERATION_CONFIG: Shape = {
  temperature: 'number',
  topP: 'number',
  topK: 'number',
  candidateCount: 'integer',
  maxOutputTokens: 'integer',
  stopSequences: 'strings',
  responseLogprobs: 'boolean',
  logprobs: 'integer',
  presencePenalty: 'number',
  frequencyPenalty: 'number',
  seed: 'integer',
  responseMimeType: 'string',
  responseSchema: 'opaque',
  responseJsonSchema: 'opaque',
  responseModalities: 'strings',
  mediaResolution: 'string',
  speechConfig: 'opaque',
  thinkingConfig: { includeThoughts: 'boolean', thinkingBudget: 'integer', thinkingLevel: 'string' },
  imageConfig: 'opaque',
  audioTranscriptionConfig: 'opaque',
};

const ONLY: Readonly<Record<Api, { part: Shape; tool: Shape; generationConfig: Shape; request: Shape }>> = {
  vertex: {
    part: {},
    tool: { retrieval: 'opaque', enterpriseWebSearch: 'opaque', exaAiSearch: 'opaque', parallelAiSearch: 'opaque' },
    generationConfig: { routingConfig: 'opaque', modelConfig: 'opaque', audioTimestamp: 'boolean' },
    request: { labels: 'opaque', modelArmorConfig: 'opaque', outputConfig: 'opaque' },
  },
  developer: {
    part: { toolCall: 'opaque', toolResponse: 'opaque', partMetadata: 'opaque' },
    tool: { fileSearch: 'opaque' },
    generationConfig: { enableEnhancedCivicAnswers: 'boolean' },
    request: { store: 'boolean' },
  },
};

/** What `generateContent` takes; the rest of the methods take a part of it. */
export function requestShape(api: Api): Shape {
  const only = ONLY[api];
  const content: Shape = { role: 'string', parts: [{ ...PART, ...only.part }] };
  return {
    model: 'string',
    contents: [content],
    systemInstruction: content,
    generationConfig: { ...GENERATION_CONFIG, ...only.generationConfig },
    safetySettings: 'opaque',
    tools: [{ ...TOOL, ...only.tool }],
    toolConfig: TOOL_CONFIG,
    cachedContent: 'string',
    serviceTier: 'string',
    continuationToken: 'string',
    ...only.request,
  };
}
