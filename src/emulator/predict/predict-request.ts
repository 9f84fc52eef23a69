// A request of the legacy wire, as it is after it was read: from JSON or from Tensors, it is the same.

export type Message = { readonly author: string; readonly content: string };

export type Example = { readonly input: { readonly content: string }; readonly output: { readonly content: string } };

export type Instance = {
  readonly context?: string;
  readonly examples?: readonly Example[];
  readonly messages: readonly Message[];
};

export type GroundingSource = {
  readonly type?: string;
  readonly vertexAiSearchDatastore?: string;
  readonly inlineContext?: string;
};

export type GroundingConfig = { readonly sources?: readonly GroundingSource[]; readonly disableAttribution?: boolean };

export type Parameters = {
  readonly temperature?: number;
  /** Whether the client called it so or `maxDecodeSteps`. */
  readonly maxOutputTokens?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly candidateCount?: number;
  readonly stopSequences?: readonly string[];
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly groundingConfig?: GroundingConfig;
};

export type PredictRequest = { readonly instance: Instance; readonly parameters: Parameters };
