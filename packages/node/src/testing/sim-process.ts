import type { Clock, Timer } from "../ports/clock.ts";
import { assert } from "../raft/index.ts";
import type { SimScheduler } from "./sim-scheduler.ts";

/** The phases of an event loop's turn, in their order. */
type LoopPhase = "timers" | "io" | "check";

/**
 * One life of a node's process: its event loop and monotonic clock. Paused (SIGSTOP, a long
 * garbage collection, a sleeping laptop) it holds back everything; resumed it runs its late
 * timers first, then what the sockets and the disk have ready, then what was put off: the order
 * in which Node.js does it. Dead, it runs nothing more.
 */
export class SimProcess implements Clock {
  readonly #scheduler: SimScheduler;
  readonly #rate: number;
  readonly #afterTurn: () => void;
  readonly #held: Record<LoopPhase, (() => void)[]> = { timers: [], io: [], check: [] };
  #state: "running" | "paused" | "dead" = "running";
  /** How far the clock is ahead of where its rate alone would have brought it. */
  #aheadMs = 0;
  /** When the clock stopped, with the machine; null: it runs. */
  #clockStoppedUs: number | null = null;

  /** A clock of `rate` 1.1 runs a tenth too fast. `afterTurn` is called after each callback. */
  constructor(scheduler: SimScheduler, rate: number, afterTurn: () => void) {
    assert(rate > 0, `a clock that runs at ${rate}`);
    this.#scheduler = scheduler;
    this.#rate = rate;
    this.#afterTurn = afterTurn;
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  nowMs(): number {
    const atUs = this.#clockStoppedUs ?? this.#scheduler.nowUs;
    return (atUs * this.#rate) / 1000 + this.#aheadMs;
  }

  /** The clock skips this much: the machine was suspended, or its host corrected it. */
  jumpClock(aheadMs: number): void {
    assert(aheadMs >= 0, `a monotonic clock that jumps by ${aheadMs} ms`);
    this.#aheadMs += aheadMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    let cancelled = false;
    const event = this.#scheduler.schedule(Math.ceil((delayMs * 1000) / this.#rate), () => {
      this.#enter("timers", () => {
        if (!cancelled) fn();
      });
    });
    const cancel = (): void => {
      cancelled = true;
      event.cancel();
    };
    return { cancel };
  }

  soon(fn: () => void): void {
    this.#scheduler.schedule(0, () => {
      this.#enter("check", fn);
    });
  }

  /** Calls `fn` in this process: a message arrived, or the disk is done. */
  deliver(fn: () => void): void {
    this.#enter("io", fn);
  }

  /** `stopsClock`: the whole machine stands still, and its clock does not count that time. */
  pause(stopsClock = false): void {
    if (this.#state !== "running") return;
    this.#state = "paused";
    if (stopsClock) this.#clockStoppedUs = this.#scheduler.nowUs;
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    if (this.#clockStoppedUs !== null) {
      this.#aheadMs -= ((this.#scheduler.nowUs - this.#clockStoppedUs) * this.#rate) / 1000;
      this.#clockStoppedUs = null;
    }
    for (const phase of ["timers", "io", "check"] as const) {
      for (const fn of this.#held[phase].splice(0)) {
        this.#scheduler.schedule(0, () => {
          this.#enter(phase, fn);
        });
      }
    }
  }

  kill(): void {
    this.#state = "dead";
  }

  #enter(phase: LoopPhase, fn: () => void): void {
    if (this.#state === "dead") return;
    if (this.#state === "paused") {
      this.#held[phase].push(fn);
      return;
    }
    fn();
    this.#afterTurn();
  }
}
