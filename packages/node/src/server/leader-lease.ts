import type { Term } from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";

/** Of what the voters' loyalty lasts, this much is used: for clocks that do not run alike. */
const DRIFT_MARGIN = 0.9;

interface SentRound {
  readonly round: number;
  readonly notBeforeMs: number;
}

/**
 * How long a leader may answer reads without asking anybody (Diss. §6.4.1). A round that a quorum
 * has echoed proves that those voters heard this leader after the round began, and for an election
 * timeout from then they vote for nobody else. Timed from before the round was sent, by this node's
 * monotonic clock; it assumes that no member's clock runs more than a tenth faster than another's,
 * and that the clock goes on while the machine is suspended or the machine is never suspended.
 */
export class LeaderLease {
  readonly #lastsMs: number;
  readonly #stallMs: number;
  #term: Term = 0;
  /** Rounds that no quorum has echoed yet, oldest first. */
  #rounds: SentRound[] = [];
  #newestRound = 0;
  #beganMs = Number.NEGATIVE_INFINITY;
  #lastTickMs: number;
  /** Whoever was asked to take over may do so at any later time of the term. */
  #spoiledTerm: Term | null = null;

  constructor(times: {
    readonly electionTimeoutMs: number;
    readonly heartbeatIntervalMs: number;
    readonly tickIntervalMs: number;
    readonly nowMs: number;
  }) {
    const { electionTimeoutMs, heartbeatIntervalMs, tickIntervalMs, nowMs } = times;
    // A voter that reads this leader after a stall of its loop still counts the late ticks of the
    // stall: a heartbeat's at most, and the next one may be due at once.
    const loyalMs = electionTimeoutMs - heartbeatIntervalMs - tickIntervalMs;
    this.#lastsMs = loyalMs * DRIFT_MARGIN;
    this.#stallMs = heartbeatIntervalMs + tickIntervalMs;
    this.#lastTickMs = nowMs;
  }

  /** A tick of the loop, which comes `nowMs`. After a stall nothing of before is relied on. */
  ticked(nowMs: number): void {
    if (nowMs - this.#lastTickMs > this.#stallMs) this.#drop();
    this.#lastTickMs = nowMs;
  }

  /** `view` is what the core is after inputs that were given no earlier than `beforeMs`. */
  observe(view: RaftView, beforeMs: number): void {
    if (view.role !== "leader" || view.currentTerm !== this.#term) {
      this.#drop();
      this.#newestRound = 0;
      this.#term = view.currentTerm;
    }
    if (view.role !== "leader") return;
    if (view.transferTarget !== null) this.spoil(view.currentTerm);
    if (view.round > this.#newestRound) {
      this.#newestRound = view.round;
      this.#rounds.push({ round: view.round, notBeforeMs: beforeMs });
    }
    while ((this.#rounds[0]?.round ?? Number.POSITIVE_INFINITY) <= view.confirmedRound) {
      this.#beganMs = this.#rounds.shift()?.notBeforeMs ?? this.#beganMs;
    }
  }

  /** No more leases in this term: a voter obeys whom the leader itself has sent (Diss. §4.2.3). */
  spoil(term: Term): void {
    this.#spoiledTerm = term;
  }

  holds(nowMs: number): boolean {
    const isLate = nowMs - this.#lastTickMs > this.#stallMs;
    return this.#term !== this.#spoiledTerm && !isLate && nowMs < this.#beganMs + this.#lastsMs;
  }

  #drop(): void {
    this.#rounds = [];
    this.#beganMs = Number.NEGATIVE_INFINITY;
  }
}
