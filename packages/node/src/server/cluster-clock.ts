import type { Term } from "@quorate/wire";

/**
 * The time that a leader writes into the commands that it proposes, and by which sessions end
 * (Diss. §6.3). It goes on from the time in the state machine by this node's monotonic clock; while
 * nobody leads it stands still. It never goes back within a term, and the state machine keeps the
 * greatest across terms, so that no wall clock and no skew between nodes can end a session early.
 */
export class ClusterClock {
  readonly #nowMs: () => number;
  readonly #appliedTimeMs: () => number;
  #term: Term = 0;
  #startMs = 0;
  #startTimeMs = 0;
  #lastTimeMs = 0;

  /** `appliedTimeMs`: the greatest time of any command that was applied. */
  constructor(nowMs: () => number, appliedTimeMs: () => number) {
    this.#nowMs = nowMs;
    this.#appliedTimeMs = appliedTimeMs;
  }

  /** The time of a command that is proposed in `term` now: whole ms. */
  stamp(term: Term): number {
    const nowMs = this.#nowMs();
    const appliedMs = this.#appliedTimeMs();
    if (term !== this.#term) {
      this.#term = term;
      this.#startMs = nowMs;
      this.#startTimeMs = appliedMs;
      this.#lastTimeMs = appliedMs;
    }
    const timeMs = Math.floor(this.#startTimeMs + nowMs - this.#startMs);
    this.#lastTimeMs = Math.max(this.#lastTimeMs, appliedMs, timeMs);
    return this.#lastTimeMs;
  }
}
