// What a model is called.

/** Google's own models have a short name and a path; both mean the same. Every other path stays as it is. */
export function shortName(model: string): string {
  return model.replace(/^(?:projects\/[^/]+\/(?:locations\/[^/]+\/)?)?publishers\/google\/models\//, '');
}
