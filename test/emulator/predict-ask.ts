// Asks the emulator on the legacy wire, and reads its answers with a Tensor reader of its own.
import { isObject, type JsonObject } from '../../src/emulator/json.ts';
import { type Answer, post, VERTEX } from './ask.ts';

export type Prediction = {
  readonly candidates: readonly { readonly author: string; readonly content: string }[];
  readonly safetyAttributes: readonly {
    readonly blocked: boolean;
    readonly categories: readonly string[] | null;
    readonly scores: readonly number[] | null;
    readonly errors?: readonly number[];
  }[];
  readonly citationMetadata: readonly { readonly citations: readonly JsonObject[] | null }[];
  readonly groundingMetadata: readonly (JsonObject | null)[];
};

type Count = { readonly totalTokens: number; readonly totalBillableCharacters: number };

export type PredictDocument = {
  readonly predictions: readonly Prediction[];
  readonly metadata: { readonly tokenMetadata: { readonly inputTokenCount: Count; readonly outputTokenCount: Count } };
};

/** Authors take turns, the user begins. */
export const said = (...contents: readonly string[]) =>
  contents.map((content, index) => ({ author: index % 2 === 0 ? 'user' : 'bot', content }));

export function predict(address: string, instance: unknown, parameters: unknown = {}, name = 'm'): Promise<Answer> {
  return post(address, `${VERTEX}/${name}:predict`, { instances: [instance], parameters });
}

/** `query` is what comes after the method: `alt=sse`, or nothing for an array. */
export function streamPredict(
  address: string,
  instance: unknown,
  parameters?: unknown,
  name = 'm',
  query = '?alt=sse',
): Promise<Answer> {
  return post(address, `${VERTEX}/${name}:serverStreamingPredict${query}`, {
    inputs: [tensor(instance)],
    ...(parameters !== undefined && { parameters: tensor(parameters) }),
  });
}

export function documentIn({ text }: Answer): PredictDocument {
  return JSON.parse(text);
}

/** The one prediction of a unary answer. */
export function predictionIn(answer: Answer): Prediction {
  const [prediction, second] = documentIn(answer).predictions;
  if (!prediction || second) throw new Error(`not one prediction: ${answer.text}`);
  return prediction;
}

export function eventsIn({ text }: Answer): readonly JsonObject[] {
  return text
    .split(/\r\n\r\n|\n\n/)
    .filter((event) => event !== '')
    .map((event) => JSON.parse(event.replace(/^data: /, '')));
}

/** The predictions of a stream. Throws on anything that is not an event with exactly one output. */
export function predictionsIn(answer: Answer): readonly Prediction[] {
  return eventsIn(answer).map(outputIn);
}

export function outputIn({ outputs }: JsonObject): Prediction {
  if (!Array.isArray(outputs) || outputs.length !== 1) throw new Error('not one output');
  return value(outputs[0]) as Prediction;
}

export function textIn(predictions: readonly Prediction[], index = 0): string {
  return predictions.map(({ candidates }) => candidates[index]?.content).join('');
}

/** As the SDK wraps the values of a request. */
export function tensor(plain: unknown): JsonObject {
  if (typeof plain === 'string') return { stringVal: [plain] };
  if (typeof plain === 'boolean') return { boolVal: [plain] };
  if (typeof plain === 'number') return Number.isInteger(plain) ? { intVal: [plain] } : { floatVal: [plain] };
  if (Array.isArray(plain)) return { listVal: plain.map(tensor) };
  if (!isObject(plain)) return {};
  return { structVal: Object.fromEntries(Object.entries(plain).map(([name, inner]) => [name, tensor(inner)])) };
}

function value(wrapped: unknown): unknown {
  if (!isObject(wrapped)) throw new Error('no Tensor');
  const [[field, content] = [], second] = Object.entries(wrapped);
  if (second) throw new Error('a Tensor holds one value');
  if (field === undefined) return null;
  if (field === 'structVal' && isObject(content)) {
    return Object.fromEntries(Object.entries(content).map(([name, inner]) => [name, value(inner)]));
  }
  if (!Array.isArray(content) || content.length === 0) throw new Error(`an empty ${field}`);
  if (field === 'listVal') return content.map(value);
  const [scalar, more] = content;
  if (more !== undefined) throw new Error('scalars come one by one');
  const type = { stringVal: 'string', boolVal: 'boolean', doubleVal: 'number', int64Val: 'string' }[field];
  if (typeof scalar !== type) throw new Error(`${field} of ${JSON.stringify(scalar)}`);
  return field === 'int64Val' ? Number(scalar) : scalar;
}
