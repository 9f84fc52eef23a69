// Reads a request of the legacy wire, out of JSON or out of Tensors, and validates what it says.
import { invalidArgument } from '../google-error.ts';
import { AS_WRITTEN, readMessage, wrongType } from '../read-message.ts';
import type { Route } from '../route.ts';
import type { Instance, Parameters, PredictRequest } from './predict-request.ts';
import { COUNT_TOKENS, INSTANCE, PARAMETERS, PREDICT, STREAMING_PREDICT } from './request-shape.ts';
import { fromTensor } from './tensor.ts';
import { validateHistory, validateInstance, validateParameters } from './validate.ts';

/** Fails with 400 when a real Vertex AI would, and on unknown names. Counting tokens takes a history that ends anywhere, and none. */
export function readRequest(body: unknown, { answersWith }: Route): PredictRequest {
  switch (answersWith) {
    case 'document': {
      const { instances, parameters } = readMessage(body, PREDICT);
      return requestOf(onlyOne(instances, 'instances'), parameters, 'instances[0]');
    }
    case 'stream': {
      const { inputs, parameters = {} } = readMessage(body, STREAMING_PREDICT);
      const instance = fromTensor(onlyOne(inputs, 'inputs'), 'inputs[0]');
      return requestOf(instance, fromTensor(parameters, 'parameters'), 'inputs[0]');
    }
    case 'token count': {
      const { instances } = readMessage(body, COUNT_TOKENS);
      return { instance: instanceOf(onlyOne(instances, 'instances'), 'instances[0]'), parameters: {} };
    }
    default:
      return answersWith satisfies never;
  }
}

function requestOf(instance: unknown, parameters: unknown, path: string): PredictRequest {
  const read = { instance: instanceOf(instance, path), parameters: parametersOf(parameters ?? {}) };
  validateHistory(read.instance.messages, path);
  validateParameters(read.parameters);
  return read;
}

// The shapes are the proof: they check every name and type that `Instance` and `Parameters` declare.
function instanceOf(value: unknown, path: string): Instance {
  const instance = readMessage(value, INSTANCE, path, AS_WRITTEN) as Partial<Instance>;
  return validateInstance(instance, path);
}

function parametersOf(value: unknown): Parameters {
  const { maxDecodeSteps, ...parameters } = readMessage(value, PARAMETERS, 'parameters', AS_WRITTEN);
  if (maxDecodeSteps === undefined) return parameters;
  if (parameters.maxOutputTokens !== undefined) {
    throw invalidArgument(
      'Unable to submit request because maxDecodeSteps and maxOutputTokens are two names of one parameter. Set one of them.',
      'parameters',
    );
  }
  return { ...parameters, maxOutputTokens: maxDecodeSteps as number };
}

function onlyOne(list: unknown, name: string): unknown {
  if (list !== undefined && !Array.isArray(list)) throw wrongType(name, 'list', list);
  if (list === undefined || list.length === 0) throw invalidArgument(`Empty ${name}.`, name);
  if (list.length > 1) {
    throw invalidArgument(`Unable to submit request because it has ${list.length} ${name} and a chat has one.`, name);
  }
  return list[0];
}
