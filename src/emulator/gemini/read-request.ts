// Reads a body against the shape its API documents for the method, and validates what it says.
import { isObject } from '../json.ts';
import { readMessage, type Shape } from '../read-message.ts';
import type { Api, Route } from '../route.ts';
import type { GenerateRequest } from './generate-content.ts';
import { requestShape } from './request-shape.ts';
import { validate } from './validate.ts';
import { validateContents } from './validate-history.ts';

type Shapes = { readonly generate: Shape; readonly countTokens: Shape };

const SHAPES: Readonly<Record<Api, Shapes>> = { vertex: vertexShapes(), developer: developerShapes() };

/** Fails with 400 when a real Vertex AI would. Counting tokens is less strict: it takes a history that ends anywhere. */
export function readRequest(body: unknown, { api, answersWith, model }: Route): GenerateRequest {
  if (answersWith !== 'token count') {
    const request = typed(readMessage(body, SHAPES[api].generate));
    validate(request, model);
    return request;
  }
  const counted = readMessage(body, SHAPES[api].countTokens);
  const request = typed(isObject(counted.generateContentRequest) ? counted.generateContentRequest : counted);
  validateContents(request.contents);
  return request;
}

// The shapes are the proof: they check every name and type that `GenerateRequest` declares.
function typed(message: object): GenerateRequest {
  return message as GenerateRequest;
}

function vertexShapes(): Shapes {
  const generate = requestShape('vertex');
  const { model, contents, systemInstruction, tools, generationConfig } = generate;
  const counted = { model, contents, systemInstruction, tools, generationConfig };
  return { generate, countTokens: counted as Shape };
}

function developerShapes(): Shapes {
  const generate = requestShape('developer');
  const { model, contents } = generate;
  return { generate, countTokens: { model, contents, generateContentRequest: generate } as Shape };
}
