import type { Clock, Timer } from "../ports/clock.ts";

export interface TickSourceOptions {
  readonly clock: Clock;
  /** Milliseconds between ticks. */
  readonly intervalMs: number;
  /**
   * Ticks given at once after a stall, at most. Time beyond them is forgotten: a paused follower
   * must not campaign against a leader whose heartbeats it has not read yet, and a paused leader
   * must not count the pause as its followers' silence.
   */
  readonly burstMaxTicks: number;
  /** Ticks until an election would start, or null where none can. */
  readonly ticksUntilElection: () => number | null;
  readonly tick: () => void;
}

/**
 * Turns the monotonic clock into ticks with one coarse timer. After a stall of the loop or of the
 * process a timer runs before the messages that wait in the sockets; so before late ticks, and
 * before one that would start an election, the sockets are read first.
 */
export class TickSource {
  readonly #options: TickSourceOptions;
  #nextTickMs = 0;
  #timer: Timer | null = null;

  constructor(options: TickSourceOptions) {
    this.#options = options;
  }

  /** The first tick comes one interval from now. */
  start(): void {
    this.#nextTickMs = this.#options.clock.nowMs() + this.#options.intervalMs;
    this.#arm();
  }

  /** No tick comes after this. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    const { clock } = this.#options;
    const delayMs = Math.max(0, this.#nextTickMs - clock.nowMs());
    this.#timer = clock.after(delayMs, () => {
      this.#fire();
    });
  }

  #fire(): void {
    const { clock } = this.#options;
    const due = this.#dueTicks();
    if (due === 0) {
      this.#arm();
    } else if (due === 1 && !this.#startsElection(due)) {
      this.#deliver();
    } else {
      // Two turns: what arrived during the stall may be read only in the turn after this one.
      clock.soon(() => {
        clock.soon(() => {
          if (this.#timer !== null) this.#deliver();
        });
      });
    }
  }

  #deliver(): void {
    const { clock, intervalMs, burstMaxTicks, tick } = this.#options;
    const due = this.#dueTicks();
    this.#nextTickMs =
      due > burstMaxTicks ? clock.nowMs() + intervalMs : this.#nextTickMs + due * intervalMs;
    const count = Math.min(due, burstMaxTicks);
    this.#arm();
    for (let given = 0; given < count && this.#timer !== null; given++) tick();
  }

  #dueTicks(): number {
    const { clock, intervalMs } = this.#options;
    const lateMs = clock.nowMs() - this.#nextTickMs;
    return lateMs < 0 ? 0 : 1 + Math.floor(lateMs / intervalMs);
  }

  #startsElection(ticks: number): boolean {
    const left = this.#options.ticksUntilElection();
    return left !== null && left <= ticks;
  }
}
