import type { Clock } from "../../src/ports/clock.ts";
import { SimScheduler } from "../../src/testing/sim-scheduler.ts";

/** A clock that moves only when a test lets it. */
export class SimClock implements Clock {
  readonly #scheduler = new SimScheduler();

  nowMs(): number {
    return this.#scheduler.nowUs / 1000;
  }

  after(delayMs: number, fn: () => void): { cancel(): void } {
    return this.#scheduler.schedule(Math.round(delayMs * 1000), fn);
  }

  soon(fn: () => void): void {
    this.#scheduler.schedule(0, fn);
  }

  /** Lets time pass, and does what falls due in it. */
  pass(durationMs: number): void {
    let reached = false;
    this.after(durationMs, () => {
      reached = true;
    });
    while (!reached) this.#scheduler.runNext();
  }
}
