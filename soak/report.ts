// What a run measured, and what it expected: printed as it comes, and at its end as a table and a list of what did not hold.

export class Report {
  readonly #say: (line: string) => void;
  readonly #figures: [string, string][] = [];
  readonly #failures: string[] = [];

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  say(line: string): void {
    this.#say(line);
  }

  figure(name: string, value: string | number): void {
    this.#figures.push([name, String(value)]);
  }

  /** A figure with the bound that it has to keep. */
  atMost(name: string, value: number, bound: number, unit: string): void {
    this.figure(name, `${value} ${unit}, at most ${bound}`);
    this.expect(`${name} is at most ${bound} ${unit}`, value <= bound, `${value} ${unit}`);
  }

  expect(fact: string, holds: boolean, found: string | number = ''): void {
    if (holds) return;
    this.#failures.push(found === '' ? fact : `${fact} (found: ${found})`);
    this.#say(`DOES NOT HOLD: ${this.#failures.at(-1)}`);
  }

  /** No more than the first few of each kind are worth reading. */
  expectNone(fact: string, found: readonly string[]): void {
    this.expect(fact, found.length === 0, `${found.length}: ${found.slice(0, 5).join('; ')}`);
  }

  table(): string {
    const width = Math.max(...this.#figures.map(([name]) => name.length));
    const rows = this.#figures.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
    const failures = this.#failures.map((failure) => `  ${failure}`);
    return [...rows, '', `expectations that do not hold: ${this.#failures.length}`, ...failures].join('\n');
  }
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly text: string;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const [p50, p99, max] = [at(0.5), at(0.99), at(1)];
  return { p50, p99, text: `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms` };
}
