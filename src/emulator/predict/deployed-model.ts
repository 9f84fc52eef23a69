// How a unary answer names the model it came from. Proto JSON leaves out what is empty.
import { digestOf, numberFrom } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import type { Route } from '../route.ts';

export function deployedModel({ resource, model, isEndpoint }: Route): JsonObject {
  if (isEndpoint) {
    const digest = digestOf(resource);
    return {
      deployedModelId: [0, 1, 2, 3].map((position) => 10_000 + (numberFrom(digest, position) % 90_000)).join(''),
      model: resource.replace(/endpoints\/[^/]+$/, `models/${model}`),
      modelVersionId: '1',
      modelDisplayName: model,
    };
  }
  const [name, version] = model.split('@');
  return { model: resource, ...(version && { modelVersionId: version }), modelDisplayName: name };
}
