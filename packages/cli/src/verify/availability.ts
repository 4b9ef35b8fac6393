/** Acknowledged writes as users feel them: how long they had to wait for one. Times in ms. */
export class Availability {
  readonly #waiting = new Set<{ sinceMs: number; resolve: (tookMs: number) => void }>();
  #lastMs: number;
  #longestGapMs = 0;

  constructor(startedMs: number) {
    this.#lastMs = startedMs;
  }

  /** A write that was called at `callMs` was acknowledged at `returnMs`. */
  acknowledged(callMs: number, returnMs: number): void {
    this.#longestGapMs = Math.max(this.#longestGapMs, returnMs - this.#lastMs);
    this.#lastMs = Math.max(this.#lastMs, returnMs);
    for (const one of this.#waiting) {
      if (one.sinceMs > callMs) continue;
      this.#waiting.delete(one);
      one.resolve(returnMs - one.sinceMs);
    }
  }

  /** Resolves with how long it took until a write that was called after now is acknowledged. */
  nextFrom(sinceMs: number): { readonly served: Promise<number>; cancel(): void } {
    const { promise, resolve } = Promise.withResolvers<number>();
    const one = { sinceMs, resolve };
    this.#waiting.add(one);
    return { served: promise, cancel: () => this.#waiting.delete(one) };
  }

  /** The longest time without an acknowledged write, from the start to `untilMs`. */
  longestGapMs(untilMs: number): number {
    return Math.max(this.#longestGapMs, untilMs - this.#lastMs);
  }
}
