// The part of the Gemini wire the emulator speaks: what a request may hold after it was read, and what an answer is made of.
import type { JsonObject } from '../json.ts';

export type FunctionCall = { readonly name: string; readonly args?: JsonObject };

export type Part = {
  readonly text?: string;
  readonly thought?: boolean;
  readonly inlineData?: { readonly mimeType: string; readonly data: string };
  readonly fileData?: { readonly mimeType?: string; readonly fileUri: string };
  readonly functionCall?: FunctionCall;
  readonly functionResponse?: { readonly name: string; readonly response?: JsonObject };
  readonly thoughtSignature?: string;
  readonly [name: string]: unknown;
};

export type Content = { readonly role?: string; readonly parts?: readonly Part[] };

export type FunctionDeclaration = {
  readonly name: string;
  readonly parameters?: unknown;
  readonly parametersJsonSchema?: unknown;
};

export type Tool = {
  readonly functionDeclarations?: readonly FunctionDeclaration[];
  readonly googleSearch?: unknown;
  readonly retrieval?: unknown;
};

export type GenerationConfig = {
  readonly temperature?: number;
  readonly topP?: number;
  readonly candidateCount?: number;
  readonly maxOutputTokens?: number;
  readonly stopSequences?: readonly string[];
  readonly responseMimeType?: string;
  readonly responseSchema?: unknown;
  readonly responseJsonSchema?: unknown;
  readonly thinkingConfig?: { readonly includeThoughts?: boolean };
};

export type GenerateRequest = {
  readonly contents?: readonly Content[];
  readonly systemInstruction?: Content;
  readonly generationConfig?: GenerationConfig;
  readonly tools?: readonly Tool[];
  readonly toolConfig?: {
    readonly functionCallingConfig?: { readonly mode?: string; readonly allowedFunctionNames?: readonly string[] };
  };
  readonly continuationToken?: string;
};

export type Candidate = {
  readonly index: number;
  readonly content?: Content;
  readonly finishReason?: string;
  readonly continuationToken?: string;
  readonly safetyRatings?: readonly JsonObject[];
  readonly citationMetadata?: JsonObject;
  readonly groundingMetadata?: JsonObject;
  readonly avgLogprobs?: number;
};

/** One GenerateContentResponse: the whole answer of a unary call, or one chunk of a stream. */
export type Chunk = {
  readonly candidates?: readonly Candidate[];
  readonly promptFeedback?: JsonObject;
  readonly usageMetadata?: JsonObject;
  readonly modelVersion: string;
  readonly createTime?: string;
  readonly responseId: string;
};
