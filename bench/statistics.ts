// What is said of many values.

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Between the two values nearest to it, where there is none at the place itself. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const [lower = Number.NaN, upper = lower] = sorted.slice(Math.floor(place), Math.floor(place) + 2);
  return lower + (upper - lower) * (place - Math.floor(place));
}
