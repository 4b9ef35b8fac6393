/** The newest durations of some kind, for percentiles that forget the past. */
export class LatencyWindow {
  readonly #samples: Float64Array;
  #count = 0;

  /** @param capacity - how many durations it remembers, at least 1 */
  constructor(capacity = 1000) {
    this.#samples = new Float64Array(capacity);
  }

  add(durationMs: number): void {
    this.#samples[this.#count % this.#samples.length] = durationMs;
    this.#count += 1;
  }

  /** The nearest-rank percentiles, in the order asked for; null before the first duration. */
  percentiles(percents: readonly number[]): (number | null)[] {
    const filled = Math.min(this.#count, this.#samples.length);
    if (filled === 0) return percents.map(() => null);
    const sorted = this.#samples.slice(0, filled).sort();
    return percents.map((percent) => {
      const rank = Math.max(1, Math.ceil((percent / 100) * filled));
      return roundMs(sorted[rank - 1] ?? 0);
    });
  }
}

/** Milliseconds to the microsecond: what is below is noise, and costs bytes on the wire. */
export function roundMs(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000;
}
