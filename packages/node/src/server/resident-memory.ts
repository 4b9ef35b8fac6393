import type { Clock } from "../ports/clock.ts";

/** Reading it costs a system call and a parse: a value this old is as good. */
const MAX_AGE_MS = 500;

/** Bytes of memory that the process occupies, read at most twice a second. */
export class ResidentMemory {
  readonly #clock: Clock;
  #bytes = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get bytes(): number {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#readAtMs > MAX_AGE_MS) {
      this.#bytes = process.memoryUsage.rss();
      this.#readAtMs = nowMs;
    }
    return this.#bytes;
  }
}
