import type { NodeId, Term } from "@quorate/wire";
import { requireInvariant } from "../invariant-violation.ts";

/** Election Safety (Raft §5.2): a term has one leader at most, for ever. */
export class ElectionLedger {
  readonly #leaders = new Map<Term, NodeId>();

  /** `node` leads in `term`, by its own state or by an AppendEntries that it sent. */
  leaderSeen(term: Term, node: NodeId): void {
    const known = this.#leaders.get(term);
    if (known === undefined) this.#leaders.set(term, node);
    requireInvariant(
      known === undefined || known === node,
      "Election Safety",
      () => `term ${term} has two leaders: ${known ?? ""} and ${node}`,
    );
  }
}
