import type { Clock } from "../ports/clock.ts";

/**
 * Cluster time (Diss. §6.3): the greatest time that any leader wrote into the log, going on at the
 * pace of this server's monotonic clock. A new leader so begins where the last one stopped, wall
 * clocks decide nothing, and while the whole cluster is down no time passes.
 */
export class ClusterClock {
  readonly #clock: Clock;
  #baseMs = 0;
  #baseAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#baseAtMs = clock.nowMs();
  }

  /**
   * What a leader writes into a command that it proposes now, in whole milliseconds; never falls.
   *
   * @param appliedMs the greatest cluster time that was applied (`KvStateMachine.clusterTimeMs`).
   */
  stampMs(appliedMs: number): number {
    const nowMs = this.#clock.nowMs();
    const elapsedMs = Math.floor(nowMs - this.#baseAtMs);
    if (appliedMs > this.#baseMs + elapsedMs) {
      this.#baseMs = appliedMs;
      this.#baseAtMs = nowMs;
      return appliedMs;
    }
    return this.#baseMs + elapsedMs;
  }
}
