// The fields of a request of the legacy wire. What is not here is refused: Vertex AI ignored some of it, and a client whose
// setting is ignored does not notice.
import type { Shape } from '../read-message.ts';

/** `predict`, `serverStreamingPredict` and `countTokens`: proto messages around values of the model's own schema. */
export const PREDICT: Shape = { instances: 'opaque', parameters: 'opaque' };
export const STREAMING_PREDICT: Shape = { inputs: 'opaque', parameters: 'opaque' };
export const COUNT_TOKENS: Shape = { model: 'string', instances: 'opaque' };

export const INSTANCE: Shape = {
  context: 'string',
  examples: [{ input: { content: 'string' }, output: { content: 'string' } }],
  messages: [{ author: 'string', content: 'string' }],
};

export const PARAMETERS: Shape = {
  temperature: 'number',
  // The SDK says maxDecodeSteps, the documentation of the REST API maxOutputTokens; the service took both.
  maxDecodeSteps: 'integer',
  maxOutputTokens: 'integer',
  topP: 'number',
  topK: 'integer',
  candidateCount: 'integer',
  stopSequences: 'strings',
  seed: 'integer',
  presencePenalty: 'number',
  frequencyPenalty: 'number',
  logprobs: 'integer',
  logitBias: 'opaque',
  groundingConfig: {
    sources: [{ type: 'string', vertexAiSearchDatastore: 'string', inlineContext: 'string' }],
    disableAttribution: 'boolean',
  },
};
