import type { Configuration, NodeId, RaftMessage, Term } from "@quorate/wire";
import type { RaftView } from "../../raft/index.ts";
import { hasQuorum } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** A confirmation round of a leader. */
interface Round {
  readonly term: Term;
  readonly round: number;
}

/** The process that is watched: paused, its clock goes on. */
interface Watched {
  readonly isPaused: boolean;
  nowMs(): number;
}

/**
 * Watches the leases of one life of a node (Diss. §6.4.1). A process that stood still cannot know
 * for how long: what a quorum echoed of a round from before is no lease after it, whatever the
 * clock says. Only a round that was sent afterwards begins one.
 */
export class LeaseWatch {
  readonly #node: NodeId;
  readonly #stallMs: number;
  readonly #process: Watched;
  #pausedMs = 0;
  #sent: Round = { term: 0, round: 0 };
  #sentBeforeStall: Round = { term: 0, round: 0 };

  /** Whoever stands still for longer than `stallMs` misses a beat, and knows it. */
  constructor(node: NodeId, stallMs: number, process: Watched) {
    this.#node = node;
    this.#stallMs = stallMs;
    this.#process = process;
  }

  messageSent(message: RaftMessage): void {
    if (message.type !== "AppendEntries") return;
    const { term, round } = message;
    const { term: newest, round: last } = this.#sent;
    if (term > newest || (term === newest && round > last)) this.#sent = { term, round };
  }

  /** To be called before the process is paused. */
  paused(): void {
    if (!this.#process.isPaused) this.#pausedMs = this.#process.nowMs();
  }

  /** To be called before the process goes on. */
  resumed(): void {
    if (!this.#process.isPaused) return;
    const isStall = this.#process.nowMs() - this.#pausedMs > this.#stallMs;
    if (isStall) this.#sentBeforeStall = this.#sent;
  }

  /** The node, which is as `view` says, would answer a read by its lease. */
  check({ currentTerm, confirmedRound }: RaftView): void {
    const { term, round } = this.#sentBeforeStall;
    requireInvariant(
      currentTerm !== term || confirmedRound > round,
      "Fresh Reads",
      () =>
        `${this.#node} reads by a lease of round ${confirmedRound} of term ${term}, and has stood ` +
        `still after round ${round}`,
    );
  }
}

/**
 * A lease lasts for as long as nobody else can be elected: a quorum that it was granted by is loyal,
 * at this moment of the one time that no server knows (Diss. §6.4.1). `inForce`: the members that
 * are committed, and those that follow them: who is elected needs a quorum of either.
 */
export function checkLoyalQuorum(
  node: NodeId,
  inForce: readonly Configuration[],
  isBound: (id: NodeId) => boolean,
): void {
  requireInvariant(
    inForce.some((members) => hasQuorum(members, isBound)),
    "Fresh Reads",
    () => `${node} reads by a lease, and no quorum has to wait for it any more`,
  );
}
