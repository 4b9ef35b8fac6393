import { setTimeout as sleep } from "node:timers/promises";

/** A turn that is late by more than this is not made up for: no flood after an outage. */
const CATCH_UP_MS = 100;

/** Spreads operations evenly over time. */
export class Pacer {
  readonly #intervalMs: number;
  #nextMs = 0;

  /** `perSecond` 0: nobody ever waits. */
  constructor(perSecond: number) {
    this.#intervalMs = perSecond === 0 ? 0 : 1_000 / perSecond;
  }

  /** Resolves when the next operation may begin. */
  async turn(): Promise<void> {
    if (this.#intervalMs === 0) return;
    const now = performance.now();
    this.#nextMs = Math.max(this.#nextMs + this.#intervalMs, now - CATCH_UP_MS);
    if (this.#nextMs > now) await sleep(this.#nextMs - now);
  }
}
