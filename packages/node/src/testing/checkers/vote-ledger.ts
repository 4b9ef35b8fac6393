import type { NodeId, Term } from "@quorate/wire";
import { requireInvariant } from "../invariant-violation.ts";

/** One vote a term (Raft §5.2): what voters told candidates, whatever happened to them since. */
export class VoteLedger {
  readonly #votes = new Map<string, NodeId>();

  /** Whom `voter` was ever heard to vote for in `term`. */
  voteOf(term: Term, voter: NodeId): NodeId | null {
    return this.#votes.get(`${term}/${voter}`) ?? null;
  }

  /** A grant of `voter` to `candidate` leaves the voter. */
  voteGranted(term: Term, voter: NodeId, candidate: NodeId): void {
    const key = `${term}/${voter}`;
    const known = this.#votes.get(key);
    if (known === undefined) this.#votes.set(key, candidate);
    requireInvariant(
      known === undefined || known === candidate,
      "One Vote Per Term",
      () => `${voter} voted for ${known ?? ""} and for ${candidate} in term ${term}`,
    );
  }
}
